// Weights and folders that other programs leave, and tables that get more rows.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "checkpoint/generation_config.h"
#include "checkpoint/hugging_face.h"
#include "checkpoint/json_file.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/test_model.h"
#include "checkpoint/weight_files.h"
#include "core/test_folder.h"
#include "core/test_message.h"

namespace galore {
namespace {

void write_weights(const Path& folder, TinyParameters& parameters, const std::string& prefix,
                   const std::string& only_before = "") {
  std::vector<TensorToWrite> tensors;
  for (const Parameter* parameter : parameters.list())
    tensors.emplace_back((parameter->name.starts_with(only_before) ? prefix : "") + parameter->name,
                         parameter->value);
  write_safetensors(folder / kWeightsName, tensors);
}

TEST(ForeignWeights, PrefixesOfWrappersAreTakenOff) {
  const TestFolder folder;
  for (const std::string prefix : {"_orig_mod.", "module.", "module._orig_mod.", "base_model.model."}) {
    TinyParameters saved(tiny_config(), at::kFloat, 1), loaded(tiny_config(), at::kFloat, 2);
    write_weights(folder.path(), saved, prefix);
    const std::string note = load_weights(folder.path(), loaded.list());
    EXPECT_TRUE(loaded.equal(saved)) << prefix;
    EXPECT_TRUE(contains(note, "'" + prefix + "'")) << note;
    write_weights(folder.path(), saved, "");
    EXPECT_EQ(load_weights(folder.path(), loaded.list()), "");
  }
}

TEST(ForeignWeights, MissingAndSpareNamesAreInOneMessage) {
  const TestFolder folder;
  TinyParameters saved(tiny_config(), at::kFloat, 1), loaded(tiny_config(), at::kFloat, 2);
  write_weights(folder.path(), saved, "other.", "model.layers.1.");
  const std::string message = message_of([&] { load_weights(folder.path(), loaded.list()); });
  EXPECT_TRUE(contains(message, "no tensor for 9 of 21 parameters: 'model.layers.1.")) << message;
  EXPECT_TRUE(contains(message, "9 tensors that the model does not have: 'other.model.layers.1.")) << message;
}

TEST(ForeignWeights, NewRowsAreTheMeanOfTheOthers) {
  const TestFolder folder;
  for (const bool tied : {false, true}) {
    ModelConfig config = tiny_config();
    config.tie_word_embeddings = tied;
    TinyParameters saved(config, at::kFloat, 1);
    write_weights(folder.path(), saved, "");
    config.vocab_size = 51;
    TinyParameters loaded(config, at::kFloat, 2);
    EXPECT_TRUE(
        contains(message_of([&] { load_weights(folder.path(), loaded.list()); }), "expected shape [51, 16]"));
    load_weights(folder.path(), loaded.list(), TableRows::add);
    for (const char* name : {"model.embed_tokens.weight", "lm_head.weight"}) {
      if (tied && name == std::string("lm_head.weight")) continue;
      const at::Tensor old = saved[name].value, now = loaded[name].value;
      EXPECT_TRUE(at::equal(now.narrow(0, 0, 48), old)) << name;
      const at::Tensor mean = old.to(at::kDouble).mean(0).to(at::kFloat);
      for (int64_t row = 48; row < 51; ++row) EXPECT_TRUE(at::allclose(now[row], mean, 1e-6, 1e-7)) << name;
    }
    EXPECT_TRUE(at::equal(loaded["model.norm.weight"].value, saved["model.norm.weight"].value));
    config.vocab_size = 47;
    TinyParameters smaller(config, at::kFloat, 2);
    EXPECT_NE(message_of([&] { load_weights(folder.path(), smaller.list(), TableRows::add); }), "");
  }
}

TEST(ForeignWeights, FilesOfAnotherKindAreNamed) {
  const TestFolder folder;
  TinyParameters loaded(tiny_config());
  const auto error = [&](const std::string& bytes) {
    write_file_atomically(folder / kWeightsName, bytes);
    return message_of([&] { load_weights(folder.path(), loaded.list()); });
  };
  EXPECT_TRUE(
      contains(error("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"), "git lfs pull"));
  EXPECT_TRUE(contains(error("\n<!DOCTYPE html><html>"), "HTML"));
  EXPECT_TRUE(contains(error("PK\3\4 a zip archive"), "PyTorch"));
  write_file_atomically(folder / "config.json", "<html>");
  EXPECT_TRUE(contains(message_of([&] { read_model_config(folder.path()); }), "HTML"));
  write_file_atomically(folder / "config.json", "version https://git-lfs.github.com/spec/v1\n");
  EXPECT_TRUE(contains(message_of([&] { read_model_config(folder.path()); }), "git lfs pull"));
}

TEST(ForeignWeights, FoldersThatAreNoModelAreNamed) {
  const TestFolder folder;
  const auto error = [](const Path& path) { return message_of([&] { read_model_config(path); }); };
  EXPECT_TRUE(contains(error("no-owner/no-model"), "hf download no-owner/no-model --local-dir DIR"));
  EXPECT_FALSE(contains(error("/nowhere/at/all"), "hf download"));
  EXPECT_TRUE(contains(error(folder.path()), "config.json"));
  for (const char* name : {"checkpoint-90", "checkpoint-500"}) {
    std::filesystem::create_directory(folder / name);
    write_file_atomically(folder / name / "config.json", "{}");
  }
  EXPECT_TRUE(contains(error(folder.path()), "checkpoint-500"));
  write_file_atomically(folder / "adapter_config.json", "{}");
  EXPECT_TRUE(contains(error(folder.path()), "adapter"));
}

TEST(ForeignWeights, TokenIdsAreTakenFromTheModelsFiles) {
  EXPECT_EQ(named_token_id("", "eos_token_id"), std::nullopt);
  EXPECT_EQ(named_token_id(R"({"eos_token_id": null})", "eos_token_id"), std::nullopt);
  EXPECT_EQ(named_token_id(R"({"eos_token_id": [3, 4]})", "eos_token_id"), 3);
}

}  // namespace
}  // namespace galore
