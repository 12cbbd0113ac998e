#include "checkpoint/weight_names.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string_view>

namespace galore {
namespace {

constexpr std::string_view kTextParts[][2] = {{"language_model.", ""}, {"model.language_model.", "model."}};

bool equal_values(const StoredTensor& a, const StoredTensor& b) {
  constexpr int64_t kPiece = 1 << 20;
  if (a.info->shape != b.info->shape) return false;
  const int64_t total = a.info->num_elements();
  at::Tensor x = at::empty({std::min(kPiece, total)}, at::kFloat), y = at::empty_like(x);
  for (int64_t first = 0; first < total; first += kPiece) {
    const int64_t count = std::min(kPiece, total - first);
    at::Tensor of_a = x.narrow(0, 0, count), of_b = y.narrow(0, 0, count);
    a.file->read_part(*a.info, first, of_a);
    b.file->read_part(*b.info, first, of_b);
    if (!at::equal(of_a, of_b)) return false;
  }
  return true;
}

}  // namespace

bool is_head_name(const std::string& name) {
  constexpr std::string_view kNames[] = {"lm_head.weight", "embed_out.weight",
                                         "cls.predictions.decoder.weight", "lm_head.decoder.weight",
                                         "vocab_projector.weight"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

std::string name_in_new_files(const std::string& name) {
  constexpr std::string_view kPairs[][2] = {{"LayerNorm.gamma", "LayerNorm.weight"},
                                            {"LayerNorm.beta", "LayerNorm.bias"}};
  for (const auto& [before, now] : kPairs)
    if (name.ends_with(before)) return name.substr(0, name.size() - before.size()) + std::string(now);
  return name;
}

bool is_of_other_head(const std::string& name) {
  constexpr std::string_view kBeginnings[] = {"cls.",
                                              "lm_head.dense",
                                              "lm_head.layer_norm",
                                              "lm_head.bias",
                                              "lm_head.decoder",
                                              "vocab_transform.",
                                              "vocab_layer_norm.",
                                              "vocab_projector.",
                                              "pooler.",
                                              "classifier.",
                                              "pre_classifier.",
                                              "qa_outputs."};
  const size_t dot = name.find('.');
  const std::string inside = dot == std::string::npos ? "" : name.substr(dot + 1);
  return std::any_of(std::begin(kBeginnings), std::end(kBeginnings), [&](std::string_view beginning) {
    return name.starts_with(beginning) || (beginning == "pooler." && inside.starts_with(beginning));
  });
}

bool is_embedding_name(const std::string& name) {
  constexpr std::string_view kNames[] = {"embed_tokens.weight", "wte.weight", "embed_in.weight",
                                         "word_embeddings.weight"};
  return std::any_of(std::begin(kNames), std::end(kNames), [&](std::string_view known) {
    return name == known || name.ends_with("." + std::string(known));
  });
}

bool is_no_weight(const std::string& name) {
  constexpr std::string_view kEndings[] = {
      "rotary_emb.inv_freq",    ".attn.masked_bias", "self_attn.masked_bias",   ".attn.bias",
      ".attention.masked_bias", ".attention.bias",   "embeddings.position_ids", "embeddings.token_type_ids"};
  return std::any_of(std::begin(kEndings), std::end(kEndings),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

bool is_multimodal(const WeightFiles& files) {
  return std::any_of(files.tensors().begin(), files.tensors().end(), [](const StoredTensor& stored) {
    return name_in_text_model(stored.info->name) != stored.info->name;
  });
}

std::string name_in_text_model(const std::string& name) {
  for (const auto& [inside, alone] : kTextParts)
    if (name.starts_with(inside)) return std::string(alone) + name.substr(inside.size());
  return name;
}

bool is_of_other_part(const std::string& name) {
  const std::string inside = name.starts_with("model.") ? name.substr(6) : name;
  return inside.starts_with("vision_tower.") || inside.starts_with("multi_modal_projector.");
}

bool head_differs(const WeightFiles& files) {
  const StoredTensor *head = nullptr, *embedding = nullptr;
  for (const StoredTensor& stored : files.tensors()) {
    const std::string name = name_in_text_model(stored.info->name);
    if (is_head_name(name)) head = &stored;
    if (is_embedding_name(name)) embedding = &stored;
  }
  return head && embedding && !equal_values(*head, *embedding);
}

}  // namespace galore
