#include "export/gguf_export.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>

#include "checkpoint/hugging_face.h"
#include "checkpoint/test_model.h"
#include "core/errors.h"
#include "core/test_folder.h"
#include "core/test_message.h"

namespace galore {
namespace {

template <typename T>
T number_at(const std::string& bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

TEST(GgufFile, BlocksOf8BitsHaveTheLargestValueAs127) {
  at::Tensor values = at::zeros({64});
  values[0] = 2.54;
  values[1] = -1.27;
  values[2] = 0.031;  // 1.55 steps of 0.02
  const std::string bytes = gguf_encoded(GgufType::q8_0, values);
  ASSERT_EQ(bytes.size(), gguf_bytes(GgufType::q8_0, 64));
  ASSERT_EQ(bytes.size(), 68u);
  EXPECT_EQ(number_at<uint16_t>(bytes, 0), at::Half(2.54f / 127).x);
  EXPECT_EQ(number_at<int8_t>(bytes, 2), 127);
  EXPECT_EQ(number_at<int8_t>(bytes, 3), -63 - 1);  // -63.5 is rounded away from zero
  EXPECT_EQ(number_at<int8_t>(bytes, 4), 2);
  EXPECT_EQ(bytes.substr(34), std::string(34, '\0')) << "a block of zeros has the scale 0";
}

TEST(GgufFile, TensorsBeginAtMultiplesOf32Bytes) {
  const TestFolder folder;
  GgufMetadata metadata;
  metadata.add("a", "text");
  const auto tensor = [](const std::string& name, float value) {
    return GgufTensor{name, {3}, GgufType::f32, [value](const auto& take) {
                        take(gguf_encoded(GgufType::f32, at::full({3}, value)));
                      }};
  };
  write_gguf(folder / "x.gguf", metadata, {tensor("p", 1), tensor("q", 2)});
  const std::string bytes = read_file(folder / "x.gguf");
  EXPECT_EQ(bytes.substr(0, 4), "GGUF");
  EXPECT_EQ(number_at<uint32_t>(bytes, 4), 3u);
  EXPECT_EQ(number_at<uint64_t>(bytes, 8), 2u);
  EXPECT_EQ(number_at<uint64_t>(bytes, 16), 1u);
  EXPECT_EQ(bytes.size() % 32, 0u);
  EXPECT_EQ(number_at<float>(bytes, bytes.size() - 64), 1.0f);
  EXPECT_EQ(number_at<float>(bytes, bytes.size() - 32), 2.0f);
}

class GgufExportTest : public testing::Test {
 protected:
  std::string exported(const ModelConfig& config, const char* type = "f32") const {
    TinyParameters parameters(config);
    save_model(folder_ / "model", config, parameters.list(), at::kFloat);
    export_gguf(folder_ / "model", folder_ / "x.gguf", gguf_type_from_name(type));
    return read_file(folder_ / "x.gguf");
  }
  // Returns true if the file holds a row of numbers.
  static bool holds(const std::string& bytes, const at::Tensor& row) {
    return bytes.find(gguf_encoded(GgufType::f32, row)) != std::string::npos;
  }

  TestFolder folder_;
};

// A head has four rows in tiny_config(); llama.cpp wants them in the order 0, 2, 1, 3.
TEST_F(GgufExportTest, RowsOfQueriesAreNeighboursWhereLlamaCppRotatesThem) {
  const std::string bytes = exported(tiny_config());
  TinyParameters parameters(tiny_config());
  for (Parameter* parameter : parameters.list()) {
    const bool rotary = parameter->name.find("q_proj") != std::string::npos ||
                        parameter->name.find("k_proj") != std::string::npos;
    const at::Tensor& value = parameter->value;
    EXPECT_EQ(holds(bytes, value), !rotary) << parameter->name;
    if (!rotary) continue;
    const at::Tensor order = at::tensor({0, 2, 1, 3}, at::kLong);
    for (int64_t head = 0; head < value.size(0) / 4; ++head)
      EXPECT_TRUE(holds(bytes, value.narrow(0, 4 * head, 4).index_select(0, order))) << parameter->name;
  }
}

// Gemma multiplies by 1 + weight, and its norm called post_attention_layernorm stands behind the attention.
TEST_F(GgufExportTest, NormsAreStoredAsFactors) {
  ModelConfig config = tiny_config();
  config.model_type = "gemma2";
  config.hidden_act = "gelu_pytorch_tanh";
  config.tie_word_embeddings = config.use_sliding_window = true;
  config.query_pre_attn_scalar = config.sliding_window.emplace(4);
  config.attn_logit_softcapping = config.final_logit_softcapping = 5;
  config.layer_types = {"sliding_attention", "full_attention"};
  const std::string bytes = exported(config);
  EXPECT_NE(bytes.find("blk.1.post_attention_norm.weight"), std::string::npos);
  EXPECT_EQ(bytes.find("ffn_norm"), std::string::npos);
  TinyParameters parameters(config);
  for (Parameter* parameter : parameters.list()) {
    const bool is_norm = parameter->name.ends_with("norm.weight");
    EXPECT_EQ(holds(bytes, parameter->value), !is_norm) << parameter->name;
    EXPECT_EQ(holds(bytes, parameter->value + 1), is_norm) << parameter->name;
  }
  config.query_pre_attn_scalar = 8;
  EXPECT_NE(message_of([&] { exported(config); }).find("query_pre_attn_scalar=8"), std::string::npos);
}

// GPT-NeoX keeps queries, keys and values head by head; llama.cpp wants all queries first.
TEST_F(GgufExportTest, FusedRowsAreSortedByKind) {
  ModelConfig config = tiny_config();
  config.model_type = "gpt_neox";
  config.hidden_act = "gelu";
  config.attention_bias = config.tie_word_embeddings = true;
  TinyParameters parameters(config);
  parameters.add("gpt_neox.layers.0.attention.query_key_value.weight", {48, 16});
  save_model(folder_ / "model", config, parameters.list(), at::kFloat);
  export_gguf(folder_ / "model", folder_ / "x.gguf", GgufType::f32);
  const std::string bytes = read_file(folder_ / "x.gguf");
  const at::Tensor fused = parameters.list().back()->value;
  EXPECT_TRUE(holds(bytes, fused.view({4, 3, 4, 16}).transpose(0, 1).reshape({48, 16})));
  EXPECT_NE(bytes.find("output.weight"), std::string::npos) << "llama.cpp does not tie this head";
}

TEST_F(GgufExportTest, ExpertsAreOneTensorInTheirOrder) {
  ModelConfig config = tiny_config();
  config.model_type = "qwen3_moe";
  config.num_experts = 11;
  config.num_experts_per_tok = 2;
  config.norm_topk_prob = true;
  TinyParameters parameters(config);
  std::vector<at::Tensor> experts(11);
  for (const int64_t i : {10, 2, 0, 1, 3, 4, 5, 6, 7, 8}) {
    parameters.add(fmt::format("model.layers.0.mlp.experts.{}.up_proj.weight", i), {8, 16});
    experts[static_cast<size_t>(i)] = parameters.list().back()->value;
  }
  save_model(folder_ / "gap", config, parameters.list(), at::kFloat);
  const auto gap = [&] { export_gguf(folder_ / "gap", folder_ / "x.gguf", GgufType::f32); };
  EXPECT_NE(message_of(gap).find("expected 11 tensors"), std::string::npos) << message_of(gap);
  parameters.add("model.layers.0.mlp.experts.9.up_proj.weight", {8, 16});
  experts[9] = parameters.list().back()->value;
  save_model(folder_ / "model", config, parameters.list(), at::kFloat);
  export_gguf(folder_ / "model", folder_ / "x.gguf", GgufType::f32);
  EXPECT_TRUE(holds(read_file(folder_ / "x.gguf"), at::stack(experts)));
}

TEST_F(GgufExportTest, RowsThatBlocksDoNotFitAreHalfPrecision) {
  // Rows of 16 and 24 numbers are no multiples of 32, so the file is that of f16 but for its name.
  EXPECT_EQ(exported(tiny_config(), "q8_0").size() / 64, exported(tiny_config(), "f16").size() / 64 + 1);
}

TEST_F(GgufExportTest, WhatLlamaCppLacksIsRefusedByName) {
  ModelConfig config = tiny_config();
  config.rope_scaling.type = "dynamic";
  config.rope_scaling.factor = 2;
  EXPECT_NE(message_of([&] { exported(config); }).find("rope_scaling of type dynamic"), std::string::npos);
  EXPECT_THROW(gguf_type_from_name("q4_k"), UsageError);
  config = tiny_config();
  config.hidden_act = "relu";
  EXPECT_NE(message_of([&] { exported(config); }).find("the activation relu"), std::string::npos);
  config = tiny_config();
  TinyParameters parameters(config);
  parameters.add("model.layers.0.surprise.weight", {2, 2});
  save_model(folder_ / "odd", config, parameters.list(), at::kFloat);
  const auto odd = [&] { export_gguf(folder_ / "odd", folder_ / "y.gguf", GgufType::f16); };
  EXPECT_NE(message_of(odd).find("'model.layers.0.surprise.weight'"), std::string::npos) << message_of(odd);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "y.gguf"));
}

TEST_F(GgufExportTest, ATokenizerWithMoreTokensThanTheModelIsRefused) {
  const char* tokenizer = R"({"model": {"type": "BPE", "byte_fallback": true,
      "vocab": {"<unk>": 0, "a": 1, "b": 99}, "merges": []}, "added_tokens": []})";
  save_model(folder_ / "model", tiny_config(), TinyParameters(tiny_config()).list(), at::kFloat);
  write_file_atomically(folder_ / "model" / "tokenizer.json", tokenizer);
  const auto run = [&] { export_gguf(folder_ / "model", folder_ / "x.gguf", GgufType::f16); };
  EXPECT_NE(message_of(run).find("token 'b' has id 99, but the model has 48 tokens"), std::string::npos)
      << message_of(run);
}

}  // namespace
}  // namespace galore
