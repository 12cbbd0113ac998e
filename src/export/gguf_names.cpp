#include "export/gguf_names.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/errors.h"

namespace galore {
namespace {

using Names = std::vector<std::pair<std::string_view, std::string_view>>;

const Names& whole_model_names() {
  static const Names names = {{"embed_tokens", "token_embd"}, {"norm", "output_norm"},
                              {"lm_head", "output"},          {"wte", "token_embd"},
                              {"wpe", "position_embd"},       {"ln_f", "output_norm"},
                              {"embed_in", "token_embd"},     {"final_layer_norm", "output_norm"},
                              {"embed_out", "output"}};
  return names;
}

const Names& layer_names() {
  static const Names names = {{"input_layernorm", "attn_norm"},
                              {"post_attention_layernorm", "ffn_norm"},
                              {"pre_feedforward_layernorm", "ffn_norm"},
                              {"post_feedforward_layernorm", "post_ffw_norm"},
                              {"self_attn.qkv_proj", "attn_qkv"},
                              {"attention.query_key_value", "attn_qkv"},
                              {"attention.dense", "attn_output"},
                              {"mlp.gate_up_proj", "ffn_up"},
                              {"mlp.dense_h_to_4h", "ffn_up"},
                              {"mlp.dense_4h_to_h", "ffn_down"},
                              {"mlp.gate", "ffn_gate_inp"},
                              {"mlp.experts.gate_proj", "ffn_gate_exps"},
                              {"mlp.experts.up_proj", "ffn_up_exps"},
                              {"mlp.experts.down_proj", "ffn_down_exps"},
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

std::optional<std::string> counterpart(const Names& names, std::string_view name) {
  for (const auto& [theirs, ours] : names)
    if (name == theirs) return std::string(ours);
  return std::nullopt;
}

constexpr std::string_view kExperts = "mlp.experts.";

// Returns the name without the number of an expert: "mlp.experts.up_proj" for "mlp.experts.3.up_proj".
std::string without_expert(std::string_view name) {
  if (!name.starts_with(kExperts)) return std::string(name);
  const size_t end = name.find('.', kExperts.size());
  if (end == std::string_view::npos) return std::string(name);
  return std::string(kExperts) + std::string(name.substr(end + 1));
}

}  // namespace

std::string gguf_name(const std::string& given, const GgufArchitecture& architecture) {
  std::string_view name = given;
  for (const std::string_view prefix : {"model.", "transformer.", "gpt_neox."})
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  const size_t dot = name.rfind('.');
  const std::string_view ending = dot == std::string_view::npos ? "" : name.substr(dot);
  std::string_view stem = name.substr(0, dot);
  std::optional<std::string> found = counterpart(whole_model_names(), stem);
  for (const std::string_view prefix : {"layers.", "h."}) {
    if (!stem.starts_with(prefix)) continue;
    stem.remove_prefix(prefix.size());
    const size_t end = std::min(stem.find('.'), stem.size() - 1);
    const std::string part = without_expert(stem.substr(end + 1));
    const bool behind = architecture.norms_behind && part == "post_attention_layernorm";
    if (const auto known = behind ? "post_attention_norm" : counterpart(layer_names(), part))
      found = "blk." + std::string(stem.substr(0, end)) + "." + *known;
    break;
  }
  if (!found || (ending != ".weight" && ending != ".bias"))
    fail("export", "gguf: no name in llama.cpp for the tensor '{}'", given);
  return *found + std::string(ending);
}

std::optional<size_t> expert_of(const std::string& name) {
  const size_t at = name.find(kExperts);
  if (at == std::string::npos) return std::nullopt;
  return std::strtoull(name.c_str() + at + kExperts.size(), nullptr, 10);
}

}  // namespace galore
