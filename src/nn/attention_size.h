// What an architecture says about the attention of its layers.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/attention.h"
#include "nn/norm.h"
#include "nn/residual.h"

namespace galore {

enum class HeadNorms {
  none,
  per_head,  // each head of queries and keys is normalized by itself, with one weight for all (Qwen3)
  whole,     // all heads of a token are normalized together (OLMo 2)
};

struct AttentionSize {
  int64_t hidden, heads, key_heads, head_dim;
  bool bias = false;         // for the projections to queries, keys and values
  bool output_bias = false;  // bias of the output projection
  int64_t window = 0;        // positions that a query sees, its own included; 0: no limit
  AttentionScores scores = {};
  HeadNorms head_norms = HeadNorms::none;
  NormKind norm = NormKind::rms;
  double norm_epsilon = 1e-6;
  bool inputs_first = false;  // applies to all matrices
  // The checkpoint's names inside a layer. With `fused`, one matrix of that name gives queries, keys and
  // values: one after the other (GPT-2, Phi-3) or, with fused_by_head, those of each head side by side
  // (GPT-NeoX).
  std::string query = "self_attn.q_proj", key = "self_attn.k_proj", value = "self_attn.v_proj",
              output = "self_attn.o_proj", fused = "";
  bool fused_by_head = false;
  std::string query_norm = "self_attn.q_norm", key_norm = "self_attn.k_norm";
  BranchSize branch = {};
};

}  // namespace galore
