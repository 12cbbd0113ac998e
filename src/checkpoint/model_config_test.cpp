#include <gtest/gtest.h>

#include "checkpoint/hugging_face.h"
#include "checkpoint/json_file.h"
#include "checkpoint/test_model.h"
#include "core/errors.h"
#include "core/test_folder.h"
#include "models/architecture.h"

namespace galore {
namespace {

ModelConfig parse(const std::string& text) { return parse_model_config("config.json", text); }

// Returns the message for a llama's config with these additional keys, or "" if it is accepted.
std::string config_error(const std::string& keys) {
  try {
    parse(R"({"model_type":"llama")" + (keys.empty() ? "" : "," + keys) + "}");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void expect_error(const std::string& keys, const std::string& part) {
  const std::string message = config_error(keys);
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
  EXPECT_EQ(config.norm_epsilon, 1e-6);
  EXPECT_EQ(config.rope_theta, 10000);
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_EQ(config.eos_token_id, 2);
  EXPECT_FALSE(config.pad_token_id.has_value());
}

TEST(ModelConfigJson, RoundTrip) {
  ModelConfig config = tiny_config();
  config.head_dim = 6;
  config.norm_epsilon = 1e-5;
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
  const ModelConfig yarn = rope(
      R"("rope_scaling":{"type":"yarn","factor":4,"beta_fast":16,"mscale":0.5,"truncate":false,
          "original_max_position_embeddings":64})");
  const ModelConfig again = parse(model_config_text(yarn, at::kFloat));
  EXPECT_EQ(again.rope_scaling.beta_fast, 16);
  EXPECT_EQ(again.rope_scaling.beta_slow, 1);
  EXPECT_EQ(again.rope_scaling.mscale, 0.5);
  EXPECT_FALSE(again.rope_scaling.truncate);
  EXPECT_EQ(again.rope_scaling.original_max_position_embeddings, 64);
}

TEST(ModelConfigJson, PlacesOfRopeHaveAnOrder) {
  const auto rope = [](const std::string& keys) { return parse(R"({"model_type":"llama",)" + keys + "}"); };
  const std::string linear = R"("rope_parameters":{"rope_type":"linear","factor":4.0,"rope_theta":1e6})";
  const ModelConfig scaling = rope(R"("rope_scaling":{"rope_type":"dynamic","factor":2.0},)" + linear);
  EXPECT_EQ(scaling.rope_scaling.type, "dynamic");
  EXPECT_EQ(scaling.rope_theta, 10000) << "rope_parameters is replaced as a whole";
  EXPECT_EQ(rope(R"("rope_scaling":{},)" + linear).rope_scaling.type, "linear");
  EXPECT_EQ(rope(R"("rope_scaling":null,)" + linear).rope_theta, 1e6);
  const ModelConfig top = rope(R"("original_max_position_embeddings":99,
      "rope_scaling":{"rope_type":"yarn","factor":2.0,"original_max_position_embeddings":16})");
  EXPECT_EQ(rotary_options(top).scaling.original_max_position_embeddings, 99);
  EXPECT_EQ(
      rotary_options(parse(model_config_text(top, at::kFloat))).scaling.original_max_position_embeddings, 99);
}

TEST(ModelConfigJson, RopeOfEachKindOfLayer) {
  const std::string gemma = R"({"model_type":"gemma3_text")";
  const ModelConfig fallback = parse(gemma + "}");
  EXPECT_EQ(fallback.rope_theta, 1e6);
  EXPECT_EQ(fallback.local_rope_theta, 1e4);
  const ModelConfig v4 = parse(gemma + R"(,"rope_theta":5e5,"rope_local_base_freq":300.0,
      "rope_scaling":{"rope_type":"linear","factor":8.0}})");
  const ModelConfig v5 = parse(gemma + R"(,"rope_parameters":{
      "full_attention":{"rope_type":"linear","factor":8.0,"rope_theta":5e5},
      "sliding_attention":{"rope_type":"default","rope_theta":300.0}}})");
  for (const ModelConfig& config : {v4, v5, parse(model_config_text(v4, at::kFloat))}) {
    EXPECT_EQ(config.rope_theta, 5e5);
    EXPECT_EQ(config.local_rope_theta, 300);
    EXPECT_EQ(config.rope_scaling.factor, 8);
    EXPECT_EQ(config.local_rope_scaling.type, "default");
  }
  EXPECT_EQ(parse(R"({"model_type":"olmo3","rope_theta":7000.0})").local_rope_theta, 7000);
}

TEST(ModelConfigJson, TheTextPartOfAMultimodalModel) {
  const ModelConfig config = parse(R"({"model_type":"gemma3","eos_token_id":[1,106],"vision_config":{},
      "text_config":{"model_type":"gemma3_text","hidden_size":64,"num_hidden_layers":7}})");
  EXPECT_EQ(config.model_type, "gemma3_text");
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.eos_token_id, 1);
  EXPECT_EQ(config.layer_types.at(5), "full_attention");
  EXPECT_EQ(config.layer_types.at(6), "sliding_attention");
  const Json saved = parse_json_object("test", model_config_text(config, at::kFloat));
  EXPECT_EQ(saved["architectures"][0], "Gemma3ForCausalLM");
  EXPECT_FALSE(saved.contains("text_config") || saved.contains("vision_config"));
  EXPECT_THROW(parse(R"({"model_type":"gemma3"})"), Error);
}

// The text that we write for a configuration is read as the same one.
TEST(ModelConfigJson, EveryArchitectureIsReadAsItIsWritten) {
  for (const std::string& name : architecture_names()) {
    const ModelConfig config = parse(R"({"model_type":")" + name + R"("})");
    const std::string text = model_config_text(config, at::kFloat);
    EXPECT_EQ(model_config_text(parse(text), at::kFloat), text) << name;
  }
}

TEST(ModelConfigJson, NullDiffersFromAMissingKeyInSoftCaps) {
  EXPECT_EQ(parse(R"({"model_type":"gemma2"})").attn_logit_softcapping, 50);
  const ModelConfig off = parse(R"({"model_type":"gemma2","attn_logit_softcapping":null})");
  EXPECT_FALSE(off.attn_logit_softcapping.has_value());
  EXPECT_EQ(off.final_logit_softcapping, 30);
  EXPECT_FALSE(parse(model_config_text(off, at::kFloat)).attn_logit_softcapping.has_value());
}

TEST(ModelConfigJson, DefaultsOfTheOtherArchitectures) {
  const ModelConfig mistral = parse(R"({"model_type":"mistral"})");
  EXPECT_EQ(mistral.intermediate_size, 14336);
  EXPECT_EQ(mistral.num_key_value_heads, 8);
  EXPECT_EQ(mistral.sliding_window, 4096);
  EXPECT_FALSE(parse(R"({"model_type":"mistral","sliding_window":null})").sliding_window.has_value());
  const ModelConfig qwen2 = parse(R"({"model_type":"qwen2"})");
  EXPECT_EQ(qwen2.vocab_size, 151936);
  EXPECT_FALSE(qwen2.sliding_window.has_value() || qwen2.bos_token_id.has_value());
  EXPECT_EQ(parse(R"({"model_type":"qwen3"})").head_dim, 128);
  const ModelConfig gpt2 = parse(R"({"model_type":"gpt2"})");
  EXPECT_EQ(gpt2.hidden_size, 768);
  EXPECT_EQ(gpt2.intermediate_size, 3072);
  EXPECT_EQ(gpt2.num_key_value_heads, 12);
  EXPECT_EQ(gpt2.head_dim, 64);
  EXPECT_EQ(gpt2.hidden_act, "gelu_new");
  EXPECT_TRUE(gpt2.tie_word_embeddings);
  EXPECT_EQ(gpt2.eos_token_id, 50256);
}

TEST(ModelConfigJson, WindowsOfLayers) {
  const std::string qwen2 = R"({"model_type":"qwen2","num_hidden_layers":3,"sliding_window":7)";
  const auto windows = [&](const std::string& keys) {
    const ModelConfig config = parse(qwen2 + keys + "}");
    return std::vector<int64_t>{config.window_of_layer(0), config.window_of_layer(1),
                                config.window_of_layer(2)};
  };
  EXPECT_EQ(windows(""), (std::vector<int64_t>{0, 0, 0}));
  EXPECT_EQ(windows(R"(,"use_sliding_window":true)"), (std::vector<int64_t>{0, 0, 0}));
  EXPECT_EQ(windows(R"(,"use_sliding_window":true,"max_window_layers":1)"), (std::vector<int64_t>{0, 7, 7}));
  const std::string types = R"(,"layer_types":["sliding_attention","full_attention","sliding_attention"])";
  EXPECT_EQ(windows(R"(,"use_sliding_window":true)" + types), (std::vector<int64_t>{7, 0, 7}));
  EXPECT_THROW(windows(types), Error);
  EXPECT_THROW(windows(R"(,"use_sliding_window":true,"layer_types":["sliding_attention"])"), Error);
  EXPECT_THROW(windows(R"(,"use_sliding_window":true,"layer_types":["full_attention",1,"chunked"])"), Error);
  EXPECT_THROW(parse(R"({"model_type":"mistral","sliding_window":0})"), Error);
}

// Keys that only other programs read, and a list of end-of-text tokens, are kept.
TEST(ModelConfigJson, WhatWeDoNotComputeWithIsKept) {
  ModelConfig config = parse(
      R"({"model_type":"gpt2","resid_pdrop":0.1,"task_specific_params":{"a":[1]},"eos_token_id":[5,6],
          "dtype":"float16","activation_function":"gelu"})");
  const Json kept = parse_json_object("test", model_config_text(config, at::kFloat));
  EXPECT_EQ(kept["resid_pdrop"], 0.1);
  EXPECT_EQ(kept["task_specific_params"]["a"][0], 1);
  EXPECT_EQ(kept["eos_token_id"], (Json{5, 6}));
  EXPECT_EQ(kept["activation_function"], "gelu");
  EXPECT_EQ(kept["torch_dtype"], "float32");
  EXPECT_FALSE(kept.contains("dtype") || kept.contains("rope_scaling"));
  config.eos_token_id = 9;
  EXPECT_EQ(parse_json_object("test", model_config_text(config, at::kFloat))["eos_token_id"], 9);
  config.generation_source = R"({"eos_token_id":[9,4],"temperature":0.6})";
  const Json generation = parse_json_object("test", generation_config_text(config));
  EXPECT_EQ(generation["eos_token_id"], (Json{9, 4}));
  EXPECT_EQ(generation["temperature"], 0.6);
  EXPECT_EQ(generation["bos_token_id"], 50256);
  EXPECT_FALSE(generation.contains("_from_model_config"));
  config.generation_source = R"({"eos_token_id":[7,4]})";  // the tokenizer's eos joins the list
  EXPECT_EQ(parse_json_object("test", generation_config_text(config))["eos_token_id"], (Json{7, 4, 9}));
}

TEST(ModelConfigJson, TokenIds) {
  const ModelConfig config =
      parse(R"({"model_type":"llama","bos_token_id":null,"eos_token_id":[5,6],"pad_token_id":-1})");
  EXPECT_FALSE(config.bos_token_id.has_value());
  EXPECT_EQ(config.eos_token_id, 5);
  EXPECT_FALSE(config.pad_token_id.has_value());
}

TEST(ModelConfigJson, WhatCannotBeComputedIsRefusedByName) {
  expect_error(R"("hidden_act":"xielu")", "hidden_act");
  expect_error(R"("pretraining_tp":2)", "pretraining_tp");
  expect_error(R"("attention_dropout":1.0)", "attention_dropout");
  expect_error(R"("sliding_window":4096)", "sliding_window");
  expect_error(R"("layer_types":["full_attention","sliding_attention"])", "layer_types");
  expect_error(R"("quantization_config":{"bits":4})", "quantization_config");
  expect_error(R"("partial_rotary_factor":0.5)", "partial_rotary_factor");
  expect_error(R"("rope_scaling":{"rope_type":"longrope","factor":2})", "short_factor");
  expect_error(R"("rope_scaling":{"rope_type":"longrope","short_factor":[1],"long_factor":[0]})",
               "long_factor");
  expect_error(R"("rope_parameters":{"rope_type":"default","partial_rotary_factor":0.5})",
               "partial_rotary_factor");
  expect_error(R"("rope_scaling":{"rope_type":"ntk","factor":2})", "longrope");
  expect_error(R"("rope_scaling":{"rope_type":"linear"})", "factor");
  expect_error(R"("rope_scaling":{"rope_type":"llama3","factor":8})", "low_freq_factor");
  expect_error(R"("rope_scaling":3)", "rope_scaling");
  expect_error(R"("rope_parameters":{"full_attention":{"rope_type":"default"}})", "full_attention");
  EXPECT_THROW(parse(R"({"model_type":"mamba"})"), Error);
  EXPECT_THROW(parse(R"({"hidden_size":64})"), Error);
}

TEST(ModelConfigJson, WhatGpt2CannotComputeIsRefusedByName) {
  const auto refuse = [](const std::string& key) {
    EXPECT_THROW(parse(R"({"model_type":"gpt2",)" + key + "}"), Error) << key;
  };
  refuse(R"("activation_function":"prelu")");
  refuse(R"("scale_attn_by_inverse_layer_idx":1)");
  refuse(R"("add_cross_attention":true)");
  refuse(R"("n_head":7)");
  refuse(R"("n_inner":0)");
}

TEST(ModelConfigJson, DropoutIsThatOfTheFileOrOfTransformers) {
  const ModelConfig config = parse(R"({"model_type":"gpt2","resid_pdrop":0.25,"attn_pdrop":0})");
  EXPECT_EQ(config.resid_pdrop, 0.25);
  EXPECT_EQ(config.attn_pdrop, 0);
  EXPECT_EQ(config.embd_pdrop, 0.1) << "GPT2Config's default";
  EXPECT_EQ(parse(R"({"model_type":"llama"})").embd_pdrop, 0);
  EXPECT_THROW(parse(R"({"model_type":"gpt2","embd_pdrop":1})"), Error);
}

TEST(ModelConfigJson, HarmlessSettingsAreAccepted) {
  EXPECT_EQ(
      config_error(R"("hidden_act":"silu","pretraining_tp":1,"attention_dropout":0.0,"use_cache":false)"),
      "");
  EXPECT_EQ(config_error(R"("sliding_window":null,"use_sliding_window":false,"quantization_config":null)"),
            "");
  EXPECT_EQ(config_error(R"("use_sliding_window":false,"sliding_window":4096)"), "");
  EXPECT_EQ(config_error(R"("my_own_key":{"a":[1,2]},"transformers_version":"9.9","max_sequence_length":7)"),
            "");
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
