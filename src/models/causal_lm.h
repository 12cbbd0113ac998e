// A causal language model: a trunk with a language head.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "models/key_value_cache.h"
#include "models/trainable_model.h"

namespace galore {

class CausalLM : public TrainableModel {
 public:
  // Returns [rows, length, vocabulary] in fp32. The whole matrix is formed, so it is meant for tests and
  // short inputs.
  virtual at::Tensor logits(const at::Tensor& ids) = 0;

  virtual std::unique_ptr<KeyValueCache> new_cache(int64_t max_length) = 0;
  // Appends `ids` ([length]) to the cached sequence and returns the logits at its last position, [vocabulary]
  // in fp32.
  virtual at::Tensor next_logits(const at::Tensor& ids, KeyValueCache& cache) = 0;

  using TrainableModel::evaluate;
  using TrainableModel::train_step;
  // The next two functions take rows that predict their own next tokens. ids, labels: [rows, length] int64 on
  // the CPU; labels are shifted here, and -100 is ignored.
  LossSum train_step(const at::Tensor& ids, const at::Tensor& labels, double gradient_scale) {
    return train_step(next_token_batch(ids, labels), gradient_scale);
  }
  LossSum evaluate(const at::Tensor& ids, const at::Tensor& labels) {
    return evaluate(next_token_batch(ids, labels));
  }
};

// Returns the model of config.model_type with a language head, as make_model() does.
std::unique_ptr<CausalLM> make_causal_lm(const ModelConfig& config, const ModelOptions& options,
                                         Ledger& ledger);
// Returns the model as a language model. A model with another head is an Error, which calls it `where`.
CausalLM& as_causal_lm(TrainableModel& model, const std::string& where);

}  // namespace galore
