#include <gtest/gtest.h>

#include "checkpoint/hugging_face.h"
#include "checkpoint/json_file.h"
#include "checkpoint/test_folder.h"
#include "checkpoint/test_model.h"
#include "core/errors.h"

namespace galore {
namespace {

ModelConfig parse(const std::string& text) { return parse_model_config("config.json", text); }

// Of a llama's config with these further keys; "" if it is accepted.
std::string error_of(const std::string& keys) {
  try {
    parse(R"({"model_type":"llama")" + (keys.empty() ? "" : "," + keys) + "}");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void expect_error(const std::string& keys, const std::string& part) {
  const std::string message = error_of(keys);
  EXPECT_NE(message.find(part), std::string::npos) << keys << "\ngave: " << message;
}

TEST(ModelConfigJson, DefaultsAreThoseOfTransformers) {
  const ModelConfig config = parse(R"({"model_type":"llama"})");
  EXPECT_EQ(config.vocab_size, 32000);
  EXPECT_EQ(config.hidden_size, 4096);
  EXPECT_EQ(config.intermediate_size, 11008);
  EXPECT_EQ(config.num_hidden_layers, 32);
  EXPECT_EQ(config.num_attention_heads, 32);
  EXPECT_EQ(config.num_key_value_heads, 32);
  EXPECT_EQ(config.head_dim, 128);
  EXPECT_EQ(config.max_position_embeddings, 2048);
  EXPECT_EQ(config.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.rope_theta, 10000);
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_EQ(config.eos_token_id, 2);
  EXPECT_FALSE(config.pad_token_id.has_value());
}

TEST(ModelConfigJson, RoundTrip) {
  ModelConfig config = tiny_config();
  config.head_dim = 6;
  config.rms_norm_eps = 1e-5;
  config.rope_theta = 500000;
  config.tie_word_embeddings = config.attention_bias = config.mlp_bias = true;
  config.eos_token_id.reset();
  config.pad_token_id = 7;
  config.initializer_range = 0.01;
  config.rope_scaling = {"llama3", 8, 1.5, 4.5, 16};
  const std::string text = model_config_text(config, at::kBFloat16);
  const ModelConfig read = parse(text);
  EXPECT_EQ(model_config_text(read, at::kBFloat16), text);
  EXPECT_EQ(read.head_dim, 6);
  EXPECT_EQ(read.rope_theta, 500000);
  EXPECT_TRUE(read.tie_word_embeddings && read.attention_bias && read.mlp_bias);
  EXPECT_FALSE(read.eos_token_id.has_value());
  EXPECT_EQ(read.pad_token_id, 7);
  EXPECT_EQ(read.rope_scaling.type, "llama3");
  EXPECT_EQ(read.rope_scaling.factor, 8);
  EXPECT_EQ(read.rope_scaling.low_freq_factor, 1.5);
  EXPECT_EQ(read.rope_scaling.high_freq_factor, 4.5);
  EXPECT_EQ(read.rope_scaling.original_max_position_embeddings, 16);
  EXPECT_NE(text.find("LlamaForCausalLM"), std::string::npos);
  EXPECT_NE(text.find(R"("torch_dtype": "bfloat16")"), std::string::npos);
}

TEST(ModelConfigJson, RopeOfEveryVersion) {
  const auto rope = [](const std::string& keys) { return parse(R"({"model_type":"llama",)" + keys + "}"); };
  EXPECT_EQ(rope(R"("rope_scaling":null)").rope_scaling.type, "default");
  EXPECT_EQ(rope(R"("rope_scaling":{"type":"linear","factor":2})").rope_scaling.type, "linear");
  EXPECT_EQ(rope(R"("rope_scaling":{"rope_type":"dynamic","factor":2.5})").rope_scaling.factor, 2.5);
  const ModelConfig v5 = rope(R"("rope_parameters":{"rope_type":"linear","factor":4.0,"rope_theta":1e6})");
  EXPECT_EQ(v5.rope_scaling.factor, 4);
  EXPECT_EQ(v5.rope_theta, 1e6);
  EXPECT_EQ(rope(R"("rope_parameters":{"rope_type":"default","rope_theta":5e5})").rope_theta, 5e5);
}

TEST(ModelConfigJson, TokenIds) {
  const ModelConfig config =
      parse(R"({"model_type":"llama","bos_token_id":null,"eos_token_id":[5,6],"pad_token_id":-1})");
  EXPECT_FALSE(config.bos_token_id.has_value());
  EXPECT_EQ(config.eos_token_id, 5);
  EXPECT_FALSE(config.pad_token_id.has_value());
}

TEST(ModelConfigJson, WhatCannotBeComputedIsRefusedByName) {
  expect_error(R"("hidden_act":"gelu")", "hidden_act");
  expect_error(R"("pretraining_tp":2)", "pretraining_tp");
  expect_error(R"("attention_dropout":0.1)", "attention_dropout");
  expect_error(R"("sliding_window":4096)", "sliding_window");
  expect_error(R"("layer_types":["full_attention","sliding_attention"])", "layer_types");
  expect_error(R"("quantization_config":{"bits":4})", "quantization_config");
  expect_error(R"("partial_rotary_factor":0.5)", "partial_rotary_factor");
  expect_error(R"("rope_scaling":{"rope_type":"yarn","factor":2})", "yarn");
  expect_error(R"("rope_scaling":{"rope_type":"longrope","factor":2})", "longrope");
  expect_error(R"("rope_scaling":{"rope_type":"linear"})", "factor");
  expect_error(R"("rope_scaling":{"rope_type":"llama3","factor":8})", "low_freq_factor");
  expect_error(R"("rope_scaling":3)", "rope_scaling");
  expect_error(R"("rope_parameters":{"full_attention":{"rope_type":"default"}})", "full_attention");
  EXPECT_THROW(parse(R"({"model_type":"mamba"})"), Error);
  EXPECT_THROW(parse(R"({"hidden_size":64})"), Error);
}

TEST(ModelConfigJson, HarmlessSettingsAreAccepted) {
  EXPECT_EQ(error_of(R"("hidden_act":"silu","pretraining_tp":1,"attention_dropout":0.0,"use_cache":false)"),
            "");
  EXPECT_EQ(error_of(R"("sliding_window":null,"use_sliding_window":false,"quantization_config":null)"), "");
  EXPECT_EQ(error_of(R"("use_sliding_window":false,"sliding_window":4096)"), "");
  EXPECT_EQ(error_of(R"("my_own_key":{"a":[1,2]},"transformers_version":"9.9","max_sequence_length":7)"), "");
}

TEST(ModelConfigJson, HostileValues) {
  expect_error(R"("hidden_size":-64)", "hidden_size");
  expect_error(R"("hidden_size":0)", "hidden_size");
  expect_error(R"("hidden_size":1e30)", "hidden_size");
  expect_error(R"("hidden_size":64.5)", "hidden_size");
  expect_error(R"("hidden_size":"64")", "hidden_size");
  expect_error(R"("hidden_size":99999999999999999999999)", "hidden_size");
  expect_error(R"("num_hidden_layers":1000000000)", "num_hidden_layers");
  expect_error(R"("num_attention_heads":7)", "num_attention_heads");
  expect_error(R"("num_key_value_heads":5)", "num_key_value_heads");
  expect_error(R"("head_dim":3)", "head_dim");
  expect_error(R"("tie_word_embeddings":"yes")", "tie_word_embeddings");
  expect_error(R"("rope_theta":-1)", "rope_theta");
  expect_error(R"("rms_norm_eps":null,"rope_scaling":{"type":["linear"]})", "type");
  EXPECT_THROW(parse("[]"), Error);
  EXPECT_THROW(parse("{"), Error);
  EXPECT_THROW(parse("{\"a\":" + std::string(100'000, '[')), Error);
  EXPECT_THROW(parse(R"({"model_type":7})"), Error);
}

TEST(ModelConfigJson, FolderOrFile) {
  const TestFolder folder;
  write_file_atomically(folder / "config.json", model_config_text(tiny_config(), at::kFloat));
  EXPECT_EQ(read_model_config(folder.path()).vocab_size, 48);
  EXPECT_EQ(read_model_config(folder / "config.json").vocab_size, 48);
  EXPECT_THROW(read_model_config(folder / "other.json"), Error);
}

}  // namespace
}  // namespace galore
