// The settings of a model's head, as config.json stores them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/value_distribution.h"

namespace galore {

enum class HeadKind {
  language,        // next token, transformers' ...ForCausalLM
  masked,          // masked tokens, ...ForMaskedLM
  classification,  // one of num_labels classes of a row, transformers' ...ForSequenceClassification
  regression,      // one number of a row, by squared error; the same class with num_labels 1
  value,           // a value head, saved in the same form with the key "value_head"
  action_value,    // a value of each token as the next action, saved as a value head with "num_actions"
};

struct HeadConfig {
  HeadKind kind = HeadKind::language;
  int64_t num_labels = 0;                     // of a classifier
  std::vector<std::string> label_names = {};  // by class; empty: LABEL_0, LABEL_1, ...
  ValueSupport value = {};                    // of a value head
  int64_t num_actions = 0;                    // of a head that values actions

  bool has_values() const { return kind == HeadKind::value || kind == HeadKind::action_value; }
  // Returns true if the head predicts tokens, not numbers or classes of rows.
  bool predicts_tokens() const { return kind == HeadKind::language || kind == HeadKind::masked; }
  int64_t num_outputs() const {
    if (kind == HeadKind::value) return value.num_outputs();
    if (kind == HeadKind::action_value) return num_actions * value.num_outputs();
    return kind == HeadKind::regression ? 1 : num_labels;
  }
};

// Returns the name of a class: its label, or "LABEL_<number>".
std::string label_name(const HeadConfig& head, int64_t label);

}  // namespace galore
