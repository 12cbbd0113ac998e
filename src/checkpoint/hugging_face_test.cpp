#include "checkpoint/hugging_face.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "checkpoint/json_file.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/test_model.h"
#include "checkpoint/weight_files.h"
#include "checkpoint/weight_names.h"
#include "core/test_folder.h"
#include "kernels/group_quantize.h"
#include "models/causal_lm.h"

namespace galore {
namespace {

namespace fs = std::filesystem;

std::string load_error(const Path& directory, const ParameterList& parameters) {
  try {
    load_weights(directory, parameters);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::vector<TensorToWrite> tensors_of(TinyParameters& parameters, const std::string& drop_prefix = "") {
  std::vector<TensorToWrite> tensors;
  for (const Parameter* parameter : parameters.list()) {
    const bool drop = !drop_prefix.empty() && parameter->name.rfind(drop_prefix, 0) == 0;
    tensors.emplace_back(drop ? parameter->name.substr(drop_prefix.size()) : parameter->name,
                         parameter->value);
  }
  return tensors;
}

TEST(HuggingFace, SavedModelIsLoadedExactly) {
  for (const uint64_t shard_bytes : {kShardBytes, uint64_t{3000}, uint64_t{1}}) {
    const TestFolder folder;
    TinyParameters saved(tiny_config(), at::kFloat, 1), loaded(tiny_config(), at::kFloat, 2);
    save_model(folder / "model", tiny_config(), saved.list(), at::kFloat, shard_bytes);
    EXPECT_EQ(fs::exists(folder / "model" / kWeightsName), shard_bytes == kShardBytes);
    EXPECT_EQ(fs::exists(folder / "model" / kIndexName), shard_bytes != kShardBytes);
    EXPECT_FALSE(saved.equal(loaded));
    load_weights(folder / "model", loaded.list());
    EXPECT_TRUE(saved.equal(loaded));
    EXPECT_EQ(read_model_config(folder / "model").num_hidden_layers, 2);
  }
}

TEST(HuggingFace, DtypesAreConverted) {
  const TestFolder folder;
  TinyParameters saved(tiny_config(), at::kFloat, 1), half(tiny_config(), at::kHalf, 2);
  save_model(folder.path(), tiny_config(), saved.list(), at::kBFloat16);
  const SafetensorsReader file(folder / kWeightsName);
  EXPECT_EQ(file.tensors()[0].dtype, at::kBFloat16);
  load_weights(folder.path(), half.list());
  const at::Tensor expected = saved["model.norm.weight"].value.to(at::kBFloat16).to(at::kHalf);
  EXPECT_TRUE(at::equal(half["model.norm.weight"].value, expected));
}

// A quantized weight is written decoded, in the model's dtype, and quantized again when it is read. Both work
// in pieces; its 2.4M elements are several pieces.
TEST(HuggingFace, WeightsInCodesAreWrittenDecoded) {
  const std::string name = "model.layers.0.mlp.up_proj.weight";
  ModelConfig config = tiny_config();
  config.hidden_size = 1000;
  config.intermediate_size = 2400;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const TestFolder folder;
    TinyParameters saved(config, at::kFloat, 1), plain(config, at::kFloat, 2), loaded(config, at::kFloat, 3);
    Ledger ledger(at::kCPU);
    for (TinyParameters* parameters : {&saved, &loaded}) {
      Parameter& weight = (*parameters)[name];
      weight.codes = zero_group_codes({8, 256}, weight.value.sizes(), Owner::weights, ledger);
      kernels::encode_groups(weight.value, *weight.codes, nullptr);
      weight.value.reset();
    }
    const at::Tensor decoded = at::empty(saved[name].sizes());
    kernels::decode_groups(*saved[name].codes, decoded);
    save_model(folder.path(), config, saved.list(), dtype);
    load_weights(folder.path(), plain.list());
    EXPECT_TRUE(plain[name].value.equal(decoded.to(dtype).to(at::kFloat)));
    load_weights(folder.path(), loaded.list());
    const GroupQuantized expected = zero_group_codes({8, 256}, decoded.sizes(), Owner::weights, ledger);
    kernels::encode_groups(plain[name].value, expected, nullptr);
    EXPECT_TRUE(loaded[name].codes->codes.equal(expected.codes));
    EXPECT_TRUE(loaded[name].codes->scales.equal(expected.scales));
    EXPECT_TRUE(loaded[name].codes->zeros.equal(expected.zeros));
  }
}

TEST(HuggingFace, ShardsOfAnOlderSaveAreRemoved) {
  const TestFolder folder;
  TinyParameters first(tiny_config(), at::kFloat, 1), second(tiny_config(), at::kFloat, 2);
  TinyParameters loaded(tiny_config(), at::kFloat, 3);
  save_model(folder.path(), tiny_config(), first.list(), at::kFloat);
  save_model(folder.path(), tiny_config(), second.list(), at::kFloat, 3000);
  EXPECT_FALSE(fs::exists(folder / kWeightsName));
  load_weights(folder.path(), loaded.list());
  EXPECT_TRUE(loaded.equal(second));
  save_model(folder.path(), tiny_config(), first.list(), at::kFloat, 8000);
  load_weights(folder.path(), loaded.list());
  EXPECT_TRUE(loaded.equal(first));
  write_file_atomically(folder / "model-notes.txt", "mine");
  save_model(folder.path(), tiny_config(), first.list(), at::kFloat);
  EXPECT_FALSE(fs::exists(folder / kIndexName));
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder.path())) ++files;
  EXPECT_EQ(files, 4u);  // the weights, two configurations and the note
}

// transformers would load an adapter that lies next to the weights.
TEST(HuggingFace, WeightsOfOtherModelsAreRemoved) {
  const TestFolder folder;
  const char* foreign[] = {"pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "adapter_config.json",
                           "pytorch_model.bin.index.json", "adapter_model.safetensors"};
  const char* others[] = {"training_args.bin", "notes.txt", "my_adapter_model.bin"};
  for (const char* name : foreign) write_file_atomically(folder / name, "old");
  for (const char* name : others) write_file_atomically(folder / name, "kept");
  TinyParameters saved(tiny_config(), at::kFloat, 1);
  save_model(folder.path(), tiny_config(), saved.list(), at::kFloat);
  for (const char* name : foreign) EXPECT_FALSE(fs::exists(folder / name)) << name;
  for (const char* name : others) EXPECT_TRUE(fs::exists(folder / name)) << name;
}

TEST(HuggingFace, NamesWithoutPrefix) {
  const TestFolder folder;
  ModelConfig config = tiny_config();
  config.tie_word_embeddings = true;
  TinyParameters saved(config, at::kFloat, 1), loaded(config, at::kFloat, 2);
  write_safetensors(folder / kWeightsName, tensors_of(saved, "model."));
  load_weights(folder.path(), loaded.list());
  EXPECT_TRUE(saved.equal(loaded));
}

TEST(HuggingFace, TiedHeadMayBeStored) {
  const TestFolder folder;
  ModelConfig config = tiny_config();
  config.tie_word_embeddings = true;
  TinyParameters saved(config, at::kFloat, 1), loaded(config, at::kFloat, 2);
  auto tensors = tensors_of(saved);
  tensors.emplace_back("lm_head.weight", saved["model.embed_tokens.weight"].value.clone());
  tensors.emplace_back("model.layers.0.self_attn.rotary_emb.inv_freq", at::ones({2}));
  write_safetensors(folder / kWeightsName, tensors);
  load_weights(folder.path(), loaded.list());
  EXPECT_TRUE(saved.equal(loaded));
  tensors[tensors.size() - 2].value = at::ones({3, 3});
  write_safetensors(folder / kWeightsName, tensors);
  EXPECT_NE(load_error(folder.path(), loaded.list()).find("lm_head.weight"), std::string::npos);
}

TEST(HuggingFace, EveryTensorHasItsParameter) {
  const TestFolder folder;
  TinyParameters saved(tiny_config()), loaded(tiny_config());
  EXPECT_NE(load_error(folder.path(), loaded.list()).find("expected model.safetensors"), std::string::npos);
  auto tensors = tensors_of(saved);
  tensors.pop_back();
  write_safetensors(folder / kWeightsName, tensors);
  EXPECT_NE(load_error(folder.path(), loaded.list()).find("'lm_head.weight'"), std::string::npos);
  tensors = tensors_of(saved);
  tensors.emplace_back("model.extra.weight", at::ones({1}));
  write_safetensors(folder / kWeightsName, tensors);
  EXPECT_NE(load_error(folder.path(), loaded.list()).find("'model.extra.weight'"), std::string::npos);
  tensors.back() = {"norm.weight", saved["model.norm.weight"].value};
  write_safetensors(folder / kWeightsName, tensors);
  EXPECT_NE(load_error(folder.path(), loaded.list()).find("both"), std::string::npos);
  tensors = tensors_of(saved);
  tensors[3].value = tensors[3].value.t();
  write_safetensors(folder / kWeightsName, tensors);
  EXPECT_NE(load_error(folder.path(), loaded.list()).find("v_proj.weight': expected shape [8, 16]"),
            std::string::npos);
  tensors[3].value = at::ones({8, 16}, at::kInt), tensors[3].dtype = at::kInt;
  write_safetensors(folder / kWeightsName, tensors);
  EXPECT_NE(load_error(folder.path(), loaded.list()).find("I32"), std::string::npos);
}

TEST(HuggingFace, HostileIndex) {
  const TestFolder folder;
  TinyParameters saved(tiny_config()), loaded(tiny_config());
  save_model(folder / "model", tiny_config(), saved.list(), at::kFloat, 3000);
  const Path directory = folder / "model", index = directory / kIndexName;
  const Json original = read_json_object(index);
  const auto error_with = [&](const char* name, const Json& file) {
    Json changed = original;
    changed["weight_map"][name] = file;
    write_file_atomically(index, json_text(changed));
    return load_error(directory, loaded.list());
  };
  EXPECT_NE(
      error_with("lm_head.weight", "../model/model-00001-of-00005.safetensors").find("within the folder"),
      std::string::npos);
  EXPECT_NE(error_with("lm_head.weight", "/etc/passwd").find("within the folder"), std::string::npos);
  EXPECT_NE(error_with("lm_head.weight", "..").find("within the folder"), std::string::npos);
  EXPECT_NE(error_with("lm_head.weight", Json(3)).find("no file name"), std::string::npos);
  EXPECT_NE(error_with("lm_head.weight", "gone.safetensors").find("cannot open"), std::string::npos);
  EXPECT_NE(error_with("lm_head.weight", original["weight_map"]["model.embed_tokens.weight"]), "");
  EXPECT_NE(error_with("other.weight", original["weight_map"]["lm_head.weight"]).find("no tensor"),
            std::string::npos);
  write_file_atomically(index, R"({"weight_map":{}})");
  EXPECT_NE(load_error(directory, loaded.list()), "");
  write_file_atomically(index, R"({"weight_map":[]})");
  EXPECT_NE(load_error(directory, loaded.list()), "");
}

struct SavedKind {
  const char* name;
  RopeScaling scaling;
  bool tied;
  at::ScalarType dtype;
  uint64_t shard_bytes;
};

// With GALORE_SAVED_MODELS set, the models stay in that folder for scripts/check-transformers.py.
TEST(HuggingFace, ModelsForTransformersReadBackEqual) {
  const char* kept = std::getenv("GALORE_SAVED_MODELS");
  const TestFolder folder;
  const SavedKind kinds[] = {{"plain", {}, false, at::kFloat, kShardBytes},
                             {"bfloat16-shards", {}, false, at::kBFloat16, 3000},
                             {"llama3-rope", {"llama3", 8, 1, 4, 16}, false, at::kHalf, kShardBytes},
                             {"tied-dynamic", {"dynamic", 2, 1, 4, 0}, true, at::kFloat, kShardBytes}};
  for (const SavedKind& kind : kinds) {
    const Path directory = (kept ? Path(kept) : folder.path()) / kind.name;
    ModelConfig config = tiny_config();
    config.rope_scaling = kind.scaling;
    config.tie_word_embeddings = kind.tied;
    TinyParameters saved(config), rounded(config, kind.dtype), loaded(config, kind.dtype, 2);
    save_model(directory, config, saved.list(), kind.dtype, kind.shard_bytes);
    load_weights(directory, loaded.list());
    EXPECT_TRUE(loaded.equal(rounded)) << kind.name;
    const ModelConfig read = read_model_config(directory);
    EXPECT_EQ(read.rope_scaling.type, config.rope_scaling.type);
    EXPECT_EQ(read.rope_scaling.factor, config.rope_scaling.factor);
    EXPECT_EQ(read.tie_word_embeddings, kind.tied);
  }
}

TEST(HuggingFace, ATiedModelMayBeStoredAsHeadAlone) {
  const TestFolder folder;
  ModelConfig config = tiny_config();
  config.tie_word_embeddings = true;
  TinyParameters saved(config, at::kFloat, 1), loaded(config, at::kFloat, 2);
  save_model(folder.path(), config, saved.list(), at::kFloat);
  auto tensors = tensors_of(saved);
  for (TensorToWrite& tensor : tensors)
    if (tensor.name == "model.embed_tokens.weight") tensor.name = "lm_head.weight";
  write_safetensors(folder / kWeightsName, tensors);
  load_weights(folder.path(), loaded.list());
  EXPECT_TRUE(loaded.equal(saved));
  EXPECT_TRUE(read_model_config(folder.path()).tie_word_embeddings);
}

TEST(HuggingFace, TiedMatricesThatDifferAreUntied) {
  const TestFolder folder;
  ModelConfig config = tiny_config();
  config.tie_word_embeddings = true;
  TinyParameters saved(config, at::kFloat, 1), tied(config, at::kFloat, 2);
  save_model(folder.path(), config, saved.list(), at::kFloat);
  auto tensors = tensors_of(saved);
  const at::Tensor head = saved["model.embed_tokens.weight"].value.clone();
  tensors.emplace_back("lm_head.weight", head);
  write_safetensors(folder / kWeightsName, tensors);
  EXPECT_TRUE(read_model_config(folder.path()).tie_word_embeddings) << "they are equal";
  head[3][5] += 1;
  write_safetensors(folder / kWeightsName, tensors);
  const ModelConfig untied = read_model_config(folder.path());
  EXPECT_FALSE(untied.tie_word_embeddings);
  TinyParameters loaded(untied, at::kFloat, 3);
  load_weights(folder.path(), loaded.list());
  EXPECT_TRUE(loaded["lm_head.weight"].value.equal(head));
  EXPECT_NE(load_error(folder.path(), tied.list()).find("differ"), std::string::npos);
}

// Names of transformers 4, of 5, and with the vision part, which is not read.
TEST(HuggingFace, TheTextPartOfAMultimodalModelIsRead) {
  for (const std::string prefix : {"language_model.model.", "model.language_model."}) {
    const TestFolder folder;
    ModelConfig config = tiny_config();
    config.tie_word_embeddings = true;
    TinyParameters saved(config, at::kFloat, 1), loaded(config, at::kFloat, 2);
    auto tensors = tensors_of(saved);
    for (TensorToWrite& tensor : tensors)
      tensor.name = prefix + tensor.name.substr(std::string("model.").size());
    tensors.emplace_back("vision_tower.vision_model.embeddings.weight", at::ones({2}));
    tensors.emplace_back("model.multi_modal_projector.weight", at::ones({2}));
    write_safetensors(folder / kWeightsName, tensors);
    load_weights(folder.path(), loaded.list());
    EXPECT_TRUE(loaded.equal(saved));
    tensors.emplace_back("other.weight", at::ones({2}));
    write_safetensors(folder / kWeightsName, tensors);
    EXPECT_NE(load_error(folder.path(), loaded.list()).find("other.weight"), std::string::npos);
  }
}

constexpr std::pair<const char*, const char*> kOtherArchitectures[] = {
    {"mistral", R"({"model_type":"mistral","sliding_window":8,)"},
    {"qwen2", R"({"model_type":"qwen2","use_sliding_window":true,"sliding_window":8,"max_window_layers":1,)"},
    {"qwen3", R"({"model_type":"qwen3","head_dim":6,"tie_word_embeddings":true,"eos_token_id":[2,3],)"},
    {"gpt2",
     R"({"model_type":"gpt2","n_embd":16,"n_layer":2,"n_head":4,"n_positions":32,"resid_pdrop":0.1,)"},
    {"olmo2", R"({"model_type":"olmo2",)"},
    {"smollm3", R"({"model_type":"smollm3","no_rope_layers":[1,0],"pad_token_id":null,)"},
    {"granite", R"({"model_type":"granite","logits_scaling":2.0,"attention_multiplier":0.3,)"},
    {"ernie4_5", R"({"model_type":"ernie4_5","head_dim":4,"use_bias":true,)"},
    {"phi3", R"({"model_type":"phi3","pad_token_id":null,"original_max_position_embeddings":16,
                   "rope_scaling":{"type":"longrope","short_factor":[1.0,1.5],"long_factor":[2.0,3.0]},)"},
    {"gemma2", R"({"model_type":"gemma2","head_dim":4,"sliding_window":8,)"},
    {"gemma3_text",
     R"({"model_type":"gemma3_text","head_dim":4,"sliding_window":8,"sliding_window_pattern":2,
                          "rope_scaling":{"rope_type":"linear","factor":8.0},)"},
    {"gpt_neox", R"({"model_type":"gpt_neox","rotary_pct":0.5,)"},
    {"olmo3", R"({"model_type":"olmo3","sliding_window":8,"pad_token_id":1,
                    "rope_scaling":{"rope_type":"yarn","factor":2.0,"original_max_position_embeddings":1024},)"},
    {"qwen3_moe",
     R"({"model_type":"qwen3_moe","num_experts":3,"num_experts_per_tok":2,"moe_intermediate_size":8,
                      "mlp_only_layers":[1],)"}};

// Writes whole models of the other architectures for the same script, and their weights without the prefix.
TEST(HuggingFace, ArchitecturesForTransformersReadBackEqual) {
  const char* kept = std::getenv("GALORE_SAVED_MODELS");
  const TestFolder folder;
  for (const auto& [name, text] : kOtherArchitectures) {
    ModelConfig config =
        parse_model_config("test", std::string(text) + R"("vocab_size":48,"bos_token_id":1,"hidden_size":16,
            "intermediate_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2})");
    if (config.eos_token_id.value_or(0) >= 48) config.eos_token_id = 2;
    if (config.pad_token_id.value_or(0) >= 48) config.pad_token_id.reset();
    Ledger ledger(at::kCPU);
    const auto saved = make_causal_lm(config, {}, ledger), loaded = make_causal_lm(config, {}, ledger);
    saved->initialize(1);
    const Path directory = (kept ? Path(kept) : folder.path()) / name;
    save_model(directory, config, saved->parameters(), at::kFloat, 4000);
    load_weights(directory, loaded->parameters());
    const ParameterList from = saved->parameters(), to = loaded->parameters();
    std::vector<TensorToWrite> headless;
    for (size_t i = 0; i < from.size(); ++i) {
      EXPECT_TRUE(at::equal(from[i]->value, to[i]->value)) << name << " " << from[i]->name;
      const size_t prefix = is_head_name(from[i]->name) ? 0 : from[i]->name.find('.') + 1;
      headless.emplace_back(from[i]->name.substr(prefix), from[i]->value);
      to[i]->value.zero_();
    }
    if (std::string(name) == "gpt2") headless.emplace_back("h.0.attn.bias", at::ones({1, 1, 32, 32}));
    std::filesystem::create_directory(folder / "headless");
    write_safetensors(folder / "headless" / kWeightsName, headless);
    load_weights(folder / "headless", loaded->parameters());
    for (size_t i = 0; i < from.size(); ++i) EXPECT_TRUE(at::equal(from[i]->value, to[i]->value));
  }
}

}  // namespace
}  // namespace galore
