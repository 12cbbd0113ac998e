#include "export/gguf_export.h"

#include "checkpoint/hugging_face.h"
#include "core/errors.h"
#include "export/gguf_tokenizer.h"
#include "export/gguf_weights.h"

namespace galore {
namespace {

struct Counterpart {
  const char* model_type;
  const char* architecture;  // llama.cpp's name
};
constexpr Counterpart kArchitectures[] = {
    {"llama", "llama"}, {"mistral", "llama"}, {"qwen2", "qwen2"}, {"qwen3", "qwen3"}, {"gpt2", "gpt2"}};

std::string architecture_in_llama_cpp(const ModelConfig& config) {
  std::string known;
  for (const Counterpart& row : kArchitectures) {
    if (config.model_type == row.model_type) return row.architecture;
    known += std::string(known.empty() ? "" : ", ") + row.model_type;
  }
  fail("export", "gguf: expected one of the architectures {}, given {}", known, config.model_type);
}

// llama.cpp's number of the format that most tensors have (general.file_type).
uint32_t file_type(GgufType type) {
  switch (type) {
    case GgufType::f32:
      return 0;
    case GgufType::f16:
      return 1;
    case GgufType::q8_0:
      return 7;
    case GgufType::bf16:
      return 32;
  }
  return 0;
}

void add_rope(const std::string& prefix, const ModelConfig& config, GgufMetadata& metadata) {
  const RopeScaling& rope = config.rope_scaling;
  metadata.add(prefix + "rope.dimension_count", static_cast<uint32_t>(config.head_dim));
  metadata.add(prefix + "rope.freq_base", static_cast<float>(config.rope_theta));
  if (rope.type == "default" || rope.type == "llama3") return;  // llama3: divisors among the tensors
  const bool plain_yarn =
      rope.attention_factor == 0 && rope.mscale == 0 && rope.mscale_all_dim == 0 && rope.truncate;
  if (rope.type != "linear" && (rope.type != "yarn" || !plain_yarn))
    fail("export", "gguf: llama.cpp has no counterpart of this rope_scaling of type {}", rope.type);
  metadata.add(prefix + "rope.scaling.type", rope.type);
  metadata.add(prefix + "rope.scaling.factor", static_cast<float>(rope.factor));
  if (rope.type == "linear") return;
  const int64_t original = rope.original_max_position_embeddings > 0 ? rope.original_max_position_embeddings
                                                                     : config.max_position_embeddings;
  metadata.add(prefix + "rope.scaling.original_context_length", static_cast<uint32_t>(original));
  metadata.add(prefix + "rope.scaling.yarn_beta_fast", static_cast<float>(rope.beta_fast));
  metadata.add(prefix + "rope.scaling.yarn_beta_slow", static_cast<float>(rope.beta_slow));
}

void add_sizes(const std::string& architecture, const ModelConfig& config, GgufMetadata& metadata) {
  const std::string prefix = architecture + ".";
  const auto size = [&](const char* key, int64_t value) {
    metadata.add(prefix + key, static_cast<uint32_t>(value));
  };
  size("vocab_size", config.vocab_size);
  size("context_length", config.max_position_embeddings);
  size("embedding_length", config.hidden_size);
  size("block_count", config.num_hidden_layers);
  size("feed_forward_length", config.intermediate_size);
  size("attention.head_count", config.num_attention_heads);
  const auto epsilon = static_cast<float>(config.norm_epsilon);
  if (architecture == "gpt2") return metadata.add(prefix + "attention.layer_norm_epsilon", epsilon);
  metadata.add(prefix + "attention.layer_norm_rms_epsilon", epsilon);
  size("attention.head_count_kv", config.num_key_value_heads);
  size("attention.key_length", config.head_dim);
  size("attention.value_length", config.head_dim);
  add_rope(prefix, config, metadata);
}

std::vector<std::string> notes_of(const ModelConfig& config) {
  std::vector<std::string> notes;
  const bool windows = config.sliding_window && (config.model_type == "mistral" || config.use_sliding_window);
  if (windows && *config.sliding_window < config.max_position_embeddings)
    notes.push_back(
        fmt::format("llama.cpp has no sliding window for {}: its results are equal up to {} tokens",
                    config.model_type, *config.sliding_window));
  if (config.model_type == "gpt2" && config.hidden_act == "gelu")
    notes.emplace_back("llama.cpp computes gelu by its tanh approximation, which differs by up to 5e-4");
  return notes;
}

}  // namespace

GgufSummary export_gguf(const Path& folder, const Path& output, GgufType type) {
  const ModelConfig config = read_model_config(folder);
  const std::string architecture = architecture_in_llama_cpp(config);
  GgufMetadata metadata;
  metadata.add("general.architecture", architecture);
  metadata.add("general.type", "model");
  metadata.add("general.name", std::filesystem::weakly_canonical(folder).filename().string());
  metadata.add("general.file_type", file_type(type));
  if (type == GgufType::q8_0) metadata.add("general.quantization_version", uint32_t{2});
  add_sizes(architecture, config, metadata);
  add_gguf_tokenizer(folder, config.vocab_size, metadata);
  const WeightFiles files(folder);
  const std::vector<GgufTensor> tensors = gguf_weights(files, config, type);
  write_gguf(output, metadata, tensors);
  return {tensors.size(), std::filesystem::file_size(output), notes_of(config)};
}

}  // namespace galore
