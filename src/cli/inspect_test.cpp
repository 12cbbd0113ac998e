#include "cli/inspect.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "checkpoint/hugging_face.h"
#include "checkpoint/run_checkpoint.h"
#include "checkpoint/state_files.h"
#include "checkpoint/test_model.h"
#include "core/errors.h"
#include "core/test_folder.h"

namespace galore {
namespace {

std::string little_endian(const std::vector<uint32_t>& numbers, size_t bytes) {
  std::string text;
  for (const uint32_t number : numbers)
    for (size_t i = 0; i < bytes; ++i) text += static_cast<char>(number >> (8 * i));
  return text;
}

std::string llm_c_header(uint32_t magic, uint32_t version, uint32_t count) {
  std::string header = little_endian({magic, version, count}, 4);
  header.resize(1024);
  return header;
}

TEST(Inspect, Safetensors) {
  const TestFolder folder;
  write_safetensors(folder / "x.safetensors",
                    {{"a\nb", at::ones({2, 3})}, {"c", at::ones({4}, at::kBFloat16)}}, {{"who", "me"}});
  const auto result = inspect(folder / "x.safetensors");
  EXPECT_EQ(result["kind"], "safetensors");
  EXPECT_EQ(result["num_tensors"], 2);
  EXPECT_EQ(result["num_parameters"], 10);
  EXPECT_EQ(result["tensor_bytes"], 32);
  EXPECT_EQ(result["metadata"]["who"], "me");
  EXPECT_EQ(result["tensors"][0]["shape"], (std::vector<int>{2, 3}));
  const std::string text = inspection_text(result, true);
  EXPECT_NE(text.find("a?b"), std::string::npos) << text;
  EXPECT_NE(text.find("6 F32"), std::string::npos) << text;
}

TEST(Inspect, RunAndItsLatestCheckpoint) {
  const TestFolder folder;
  TinyParameters parameters(tiny_config());
  for (const int64_t step : {5, 10}) {
    CheckpointWriter writer(folder.path(), step);
    save_model(writer.directory(), tiny_config(), parameters.list(), at::kFloat, 3000);
    StateWriter state;
    int64_t value = step;
    state.scalar("step", value);
    state.write(writer.directory() / kOptimizerName);
    TrainerState trainer;
    trainer.global_step = step;
    trainer.settings["optim"] = "galore_adamw";
    write_trainer_state(writer.directory() / kTrainerStateName, trainer);
    writer.commit();
  }
  const auto run = inspect(folder.path());
  EXPECT_EQ(run["kind"], "run");
  EXPECT_EQ(run["checkpoints"].size(), 2u);
  EXPECT_EQ(run["latest"]["step"], 10);
  EXPECT_EQ(run["latest"]["optim"], "galore_adamw");
  EXPECT_EQ(run["latest"]["config"]["hidden_size"], 16);
  EXPECT_EQ(run["latest"]["num_tensors"], 21);
  EXPECT_EQ(run["latest"]["optimizer"]["num_tensors"], 1);
  EXPECT_EQ(inspect(folder / "checkpoint-5")["step"], 5);
  EXPECT_EQ(inspect(folder / "checkpoint-5" / "config.json")["config"]["vocab_size"], 48);
  const std::string text = inspection_text(run, false);
  EXPECT_NE(text.find("config.hidden_size"), std::string::npos) << text;
}

TEST(Inspect, UnsupportedConfigStillShowsTensors) {
  const TestFolder folder;
  write_safetensors(folder / "model.safetensors", {{"a", at::ones({2})}});
  write_file_atomically(folder / "config.json", R"({"model_type":"mamba"})");
  const auto result = inspect(folder.path());
  EXPECT_NE(result["config_error"].get<std::string>().find("mamba"), std::string::npos);
  EXPECT_EQ(result["num_tensors"], 1);
}

TEST(Inspect, TokenFiles) {
  const TestFolder folder;
  write_file_atomically(folder / "plain.bin", little_endian({7, 50256, 3}, 2));
  auto result = inspect(folder / "plain.bin");
  EXPECT_EQ(result["header"], "none");
  EXPECT_EQ(result["num_tokens"], 3);
  EXPECT_EQ(result["largest_token"], 50256);
  EXPECT_EQ(result["first_tokens"], (std::vector<int>{7, 50256, 3}));
  write_file_atomically(folder / "gpt2.bin", llm_c_header(20240520, 1, 2) + little_endian({1, 2}, 2));
  result = inspect(folder / "gpt2.bin");
  EXPECT_EQ(result["header"], "llm.c");
  EXPECT_EQ(result["num_tokens"], 2);
  write_file_atomically(folder / "llama.bin", llm_c_header(20240801, 7, 2) + little_endian({100000, 2}, 4));
  result = inspect(folder / "llama.bin");
  EXPECT_EQ(result["bytes_per_token"], 4);
  EXPECT_EQ(result["largest_token"], 100000);
}

TEST(Inspect, Adapters) {
  const TestFolder folder;
  write_file_atomically(folder / "adapter_config.json", R"({"peft_type": "LORA", "r": 2})");
  write_safetensors(folder / "adapter_model.safetensors",
                    {{"base_model.model.x.lora_A.weight", at::zeros({2, 3})}});
  const auto result = inspect(folder.path());
  EXPECT_EQ(result["kind"], "adapter");
  EXPECT_EQ(result["adapter"]["r"], 2);
  EXPECT_EQ(result["num_parameters"], 6);
}

TEST(Inspect, DamagedAndUnknown) {
  const TestFolder folder;
  EXPECT_THROW(inspect(folder / "none"), Error);
  EXPECT_THROW(inspect(folder.path()), Error);
  write_file_atomically(folder / "odd.bin", "abc");
  EXPECT_THROW(inspect(folder / "odd.bin"), Error);
  write_file_atomically(folder / "short.bin", llm_c_header(20240520, 1, 9) + "ab");
  EXPECT_THROW(inspect(folder / "short.bin"), Error);
  write_file_atomically(folder / "x.txt", "abc");
  EXPECT_THROW(inspect(folder / "x.txt"), Error);
  write_file_atomically(folder / "x.safetensors", "abc");
  EXPECT_THROW(inspect(folder / "x.safetensors"), Error);
}

}  // namespace
}  // namespace galore
