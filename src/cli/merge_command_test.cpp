// Merging an adapter by the command line.
#include <gtest/gtest.h>

#include <set>

#include "checkpoint/hugging_face.h"
#include "checkpoint/safetensors.h"
#include "cli/commands.h"
#include "core/errors.h"
#include "core/files.h"
#include "core/test_folder.h"
#include "core/test_message.h"
#include "models/causal_lm.h"

namespace galore {
namespace {

class MergeCommand : public testing::Test {
 protected:
  void SetUp() override {
    const ModelConfig config = parse_model_config(
        "test", R"({"model_type": "llama", "vocab_size": 30, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
        "max_position_embeddings": 32, "tie_word_embeddings": false})");
    Ledger ledger(at::kCPU);
    const auto model = make_causal_lm(config, {}, ledger);
    model->initialize(5);
    save_model(folder_ / "model", config, model->parameters(), at::kFloat);
    write_file_atomically(folder_ / "rows.jsonl", "{\"input_ids\": [1, 2, 3, 4, 5, 6, 7, 8]}\n");
    testing::internal::CaptureStdout();
  }
  void TearDown() override { testing::internal::GetCapturedStdout(); }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }

  TestFolder folder_;
};

TEST_F(MergeCommand, FoldsAnAdapterIntoAPlainModel) {
  EXPECT_EQ(
      train_command(
          {"--model_name_or_path", at("model"),  "--train_file", at("rows.jsonl"), "--adapter",   "lora",
           "--adapter_args",       "r=2",        "--optim",      "adamw_torch",    "--max_steps", "2",
           "--learning_rate",      "0.1",        "--packing",    "false",          "--threads",   "1",
           "--output_dir",         at("adapter")}),
      0);
  EXPECT_EQ(merge_command({"--model_name_or_path", at("model"), "--adapter_name_or_path", at("adapter"),
                           "--output_dir", at("merged")}),
            0);
  const SafetensorsReader base(folder_ / "model/model.safetensors"),
      merged(folder_ / "merged/model.safetensors");
  ASSERT_EQ(merged.tensors().size(), base.tensors().size());
  size_t changed = 0;
  for (const TensorInfo& info : base.tensors())
    changed += !at::equal(base.read(info.name), merged.read(info.name));
  EXPECT_EQ(changed, 7u) << "the seven matrices of the layer";

  // Files that a tokenizer or a reader needs go along. With the records of a training the folder
  // would look like a checkpoint of it.
  for (const char* name :
       {"vocab.json", "metrics.jsonl", "trainer_state.json", "rng_state.json", "optimizer.pt"})
    write_file_atomically(folder_ / "model" / name, "{}");
  // An older adapter in the folder would be read in place of the model.
  write_file_atomically(folder_ / "merged/adapter_config.json", "{}");
  merge_command({"--model_name_or_path", at("model"), "--adapter_name_or_path", at("adapter"), "--output_dir",
                 at("merged")});
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "merged"))
    names.insert(entry.path().filename().string());
  EXPECT_EQ(names, (std::set<std::string>{"config.json", "generation_config.json", "model.safetensors",
                                          "vocab.json"}));
  EXPECT_NE(message_of([&] {
              merge_command({"--model_name_or_path", at("adapter"), "--output_dir", at("adapter")});
            }).find("expected another folder"),
            std::string::npos);
}

// The merged folder is a classifier, of which the model has no head.
TEST_F(MergeCommand, WritesTheHeadThatAnAdapterBrings) {
  write_file_atomically(folder_ / "labels.jsonl",
                        "{\"input_ids\": [1, 2, 3], \"label\": \"no\"}\n"
                        "{\"input_ids\": [4, 5], \"label\": \"yes\"}\n");
  train_command({"--model_name_or_path", at("model"), "--train_file", at("labels.jsonl"), "--task",
                 "sequence_classification", "--adapter", "lora", "--adapter_args", "r=2", "--optim",
                 "adamw_torch", "--max_steps", "2", "--threads", "1", "--output_dir", at("adapter")});
  EXPECT_EQ(merge_command({"--model_name_or_path", at("adapter"), "--output_dir", at("merged")}), 0);
  const HeadConfig head = read_model_config(folder_ / "merged").head;
  EXPECT_EQ(head.label_names, (std::vector<std::string>{"no", "yes"}));
  const SafetensorsReader merged(folder_ / "merged/model.safetensors"),
      adapter(folder_ / "adapter/adapter_model.safetensors");
  EXPECT_TRUE(merged.read("score.weight").equal(adapter.read("base_model.model.score.weight")));
  EXPECT_EQ(merged.find("lm_head.weight"), nullptr);
}

TEST_F(MergeCommand, NeedsAnAdapter) {
  const std::string message = message_of([&] {
    merge_command({"--model_name_or_path", at("model"), "--output_dir", at("merged")});
  });
  EXPECT_NE(message.find("expected --adapter_name_or_path DIR"), std::string::npos) << message;
}

}  // namespace
}  // namespace galore
