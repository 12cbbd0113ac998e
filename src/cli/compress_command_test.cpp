// Compresses a small model, and writes it as a plain model again.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "checkpoint/hugging_face.h"
#include "checkpoint/safetensors.h"
#include "cli/commands.h"
#include "core/test_folder.h"
#include "core/test_message.h"
#include "models/causal_lm.h"

namespace galore {
namespace {

class CompressCommandTest : public testing::Test {
 protected:
  CompressCommandTest() {
    const ModelConfig config = parse_model_config(
        "test", R"({"model_type": "llama", "vocab_size": 30, "hidden_size": 32, "intermediate_size": 48,
                    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2})");
    Ledger ledger(at::kCPU);
    const auto model = make_causal_lm(config, {}, ledger);
    model->initialize(5);
    save_model(folder_ / "model", config, model->parameters(), at::kBFloat16);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string compress(std::vector<std::string> more) const {
    more.insert(more.begin(), {"--model_name_or_path", path("model"), "--output_dir", path("small"),
                               "--threads=1", "--json"});
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    const std::string message = message_of([&] { compress_command(more); });
    const std::string out = testing::internal::GetCapturedStdout();
    testing::internal::GetCapturedStderr();
    return message.empty() ? out : message;
  }

  TestFolder folder_;
};

TEST_F(CompressCommandTest, WritesFactorsAndTheirRanks) {
  const auto result = nlohmann::json::parse(
      compress({"--rank_reduction=0.4", "--spectra_file", path("spectra.safetensors")}));
  EXPECT_GE(result.at("rank_reduction").get<double>(), 0.4);
  EXPECT_LT(result.at("trained_parameters"), result.at("compressed_parameters"));
  EXPECT_EQ(nlohmann::json::parse(read_file(folder_ / "small/compression.json")), result);
  const SafetensorsReader weights(folder_ / "small/model.safetensors"),
      spectra(folder_ / "spectra.safetensors");
  for (const auto& [name, matrix] : result.at("matrices").items()) {
    EXPECT_EQ(spectra.at(name).shape.at(0), matrix.at("full_rank"));
    const TensorInfo* factor = weights.find(name + ".factor_A.weight");
    ASSERT_EQ(factor != nullptr, matrix.at("factored").get<bool>()) << name;
    if (!factor) continue;
    EXPECT_EQ(factor->shape.at(0), matrix.at("rank"));
    EXPECT_EQ(factor->dtype, at::kBFloat16) << "the stored dtype is kept";
  }
  testing::internal::CaptureStdout();
  merge_command({"--model_name_or_path", path("small"), "--output_dir", path("dense"), "--threads=1"});
  testing::internal::GetCapturedStdout();
  EXPECT_EQ(SafetensorsReader(folder_ / "dense/model.safetensors").tensors().size(),
            SafetensorsReader(folder_ / "model/model.safetensors").tensors().size());
}

TEST_F(CompressCommandTest, RefusesWhatItCannotDo) {
  EXPECT_TRUE(contains(compress({"--rank_reduction=0.999"}), "[rank_reduction] expected at most"));
  EXPECT_TRUE(contains(compress({"--output_dir", path("model")}), "expected another folder"));
  compress({"--rank_reduction=0.4"});
  EXPECT_TRUE(contains(compress({"--model_name_or_path", path("small"), "--output_dir", path("again")}),
                       "adapter=welore: merge it first"));
}

}  // namespace
}  // namespace galore
