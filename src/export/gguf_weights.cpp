#include "export/gguf_weights.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>
#include <utility>

#include "core/errors.h"

namespace galore {
namespace {

constexpr int64_t kPieceNumbers = 1 << 20;
using Names = std::vector<std::pair<std::string_view, std::string_view>>;

const Names& whole_model_names() {
  static const Names names = {{"embed_tokens", "token_embd"}, {"norm", "output_norm"},
                              {"lm_head", "output"},          {"wte", "token_embd"},
                              {"wpe", "position_embd"},       {"ln_f", "output_norm"}};
  return names;
}

const Names& layer_names() {
  static const Names names = {{"input_layernorm", "attn_norm"},
                              {"post_attention_layernorm", "ffn_norm"},
                              {"self_attn.q_proj", "attn_q"},
                              {"self_attn.k_proj", "attn_k"},
                              {"self_attn.v_proj", "attn_v"},
                              {"self_attn.o_proj", "attn_output"},
                              {"self_attn.q_norm", "attn_q_norm"},
                              {"self_attn.k_norm", "attn_k_norm"},
                              {"mlp.gate_proj", "ffn_gate"},
                              {"mlp.up_proj", "ffn_up"},
                              {"mlp.down_proj", "ffn_down"},
                              {"ln_1", "attn_norm"},
                              {"ln_2", "ffn_norm"},
                              {"attn.c_attn", "attn_qkv"},
                              {"attn.c_proj", "attn_output"},
                              {"mlp.c_fc", "ffn_up"},
                              {"mlp.c_proj", "ffn_down"}};
  return names;
}

// Rotary tables and GPT-2's causal masks of older files are not weights.
bool is_no_weight(std::string_view name) {
  return name.ends_with("rotary_emb.inv_freq") || name.ends_with(".attn.bias") ||
         name.ends_with(".masked_bias");
}

std::optional<std::string> counterpart(const Names& names, std::string_view name) {
  for (const auto& [theirs, ours] : names)
    if (name == theirs) return std::string(ours);
  return std::nullopt;
}

// Returns llama.cpp's name, such as "blk.0.attn_q.weight" for "model.layers.0.self_attn.q_proj.weight".
std::string gguf_name(std::string_view name) {
  const std::string given(name);
  for (const std::string_view prefix : {"model.", "transformer."})
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  const size_t dot = name.rfind('.');
  const std::string_view ending = dot == std::string_view::npos ? "" : name.substr(dot);
  std::string_view stem = name.substr(0, dot);
  std::optional<std::string> found = counterpart(whole_model_names(), stem);
  for (const std::string_view prefix : {"layers.", "h."}) {
    if (!stem.starts_with(prefix)) continue;
    stem.remove_prefix(prefix.size());
    const size_t end = std::min(stem.find('.'), stem.size() - 1);
    if (const auto part = counterpart(layer_names(), stem.substr(end + 1)))
      found = "blk." + std::string(stem.substr(0, end)) + "." + *part;
    break;
  }
  if (!found || (ending != ".weight" && ending != ".bias"))
    fail("export", "gguf: no name in llama.cpp for the tensor '{}'", given);
  return *found + std::string(ending);
}

struct Layout {
  int64_t rotary_heads = 0;  // above 0: rows of each head are reordered
  bool transposed = false;   // stored as inputs x outputs (GPT-2)
};

Layout layout_of(const ModelConfig& config, std::string_view name) {
  Layout layout;
  const bool interleaved = config.model_type == "llama" || config.model_type == "mistral";
  if (interleaved && name.find("q_proj.") != std::string_view::npos)
    layout.rotary_heads = config.num_attention_heads;
  if (interleaved && name.find("k_proj.") != std::string_view::npos)
    layout.rotary_heads = config.num_key_value_heads;
  layout.transposed = config.model_type == "gpt2" && name.ends_with(".weight") &&
                      (name.find(".c_") != std::string_view::npos);
  return layout;
}

// Returns the row of transformers' matrix that stands in row `row` of llama.cpp's: number i of the first half
// of a head is followed by number i of the second half.
int64_t rotary_row(int64_t row, int64_t rows_of_head) {
  const int64_t inside = row % rows_of_head;
  return row - inside + inside / 2 + (inside % 2) * rows_of_head / 2;
}

void write_rows(const StoredTensor& stored, GgufType type, const Layout& layout,
                const std::function<void(const std::string&)>& take) {
  const std::vector<int64_t>& shape = stored.info->shape;
  const int64_t columns = shape.size() > 1 ? shape[1] : 1, rows = shape[0];
  if (layout.transposed) {
    at::Tensor whole = at::empty({rows, columns}, at::kFloat);
    stored.file->read_part(*stored.info, 0, whole);
    return take(gguf_encoded(type, whole.t().contiguous()));
  }
  const int64_t step = std::max<int64_t>(1, kPieceNumbers / columns);
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t count = std::min(step, rows - begin);
    at::Tensor piece = at::empty({count, columns}, at::kFloat);
    if (layout.rotary_heads == 0) {
      stored.file->read_part(*stored.info, begin * columns, piece);
    } else {
      for (int64_t i = 0; i < count; ++i) {
        at::Tensor row = piece[i];
        stored.file->read_part(*stored.info, rotary_row(begin + i, rows / layout.rotary_heads) * columns,
                               row);
      }
    }
    take(gguf_encoded(type, piece));
  }
}

GgufType type_of(const GgufTensor& tensor, GgufType wanted) {
  if (tensor.shape.size() < 2 || tensor.name.starts_with("position_embd")) return GgufType::f32;
  return wanted == GgufType::q8_0 && tensor.shape.back() % 32 != 0 ? GgufType::f16 : wanted;
}

// Returns the divisors of the rotary frequencies that Llama 3.1 uses (rope_scaling of type llama3).
GgufTensor rotary_divisors(const ModelConfig& config) {
  const RopeScaling& rope = config.rope_scaling;
  const auto original =
      static_cast<double>(rope.original_max_position_embeddings > 0 ? rope.original_max_position_embeddings
                                                                    : config.max_position_embeddings);
  std::vector<float> divisors;
  for (int64_t i = 0; i < config.head_dim / 2; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim);
    const double turns = original / (2 * std::numbers::pi * std::pow(config.rope_theta, exponent));
    const double smooth =
        std::clamp((turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor), 0.0, 1.0);
    divisors.push_back(static_cast<float>(1 / ((1 - smooth) / rope.factor + smooth)));
  }
  GgufTensor tensor{"rope_freqs.weight", {config.head_dim / 2}, GgufType::f32, {}};
  tensor.write = [divisors](const auto& take) { take(gguf_encoded(GgufType::f32, at::tensor(divisors))); };
  return tensor;
}

}  // namespace

std::vector<GgufTensor> gguf_weights(const WeightFiles& files, const ModelConfig& config, GgufType type) {
  std::vector<GgufTensor> tensors;
  for (const StoredTensor& stored : files.tensors()) {
    const std::string& name = stored.info->name;
    // llama.cpp takes the embedding for the head where the file has none.
    if (is_no_weight(name) || (config.tie_word_embeddings && name == "lm_head.weight")) continue;
    const Layout layout = layout_of(config, name);
    GgufTensor tensor{gguf_name(name), stored.info->shape, type, {}};
    if (tensor.shape.empty() || tensor.shape.size() > 2)
      fail("export", "gguf: tensor '{}': expected one or two dimensions, given {}", name,
           tensor.shape.size());
    if (layout.transposed) std::swap(tensor.shape[0], tensor.shape[1]);
    tensor.type = type_of(tensor, type);
    const GgufType final_type = tensor.type;
    tensor.write = [stored, layout, final_type](const auto& take) {
      write_rows(stored, final_type, layout, take);
    };
    tensors.push_back(std::move(tensor));
  }
  if (config.rope_scaling.type == "llama3") tensors.push_back(rotary_divisors(config));
  return tensors;
}

}  // namespace galore
