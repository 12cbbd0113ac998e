// A causal language model: a trunk with a language head, and a hand-written backward pass that reports every
// gradient to its parameter's sink.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "core/batch.h"
#include "core/memory.h"
#include "core/parameter.h"
#include "models/key_value_cache.h"
#include "models/model_config.h"

namespace galore {

struct ModelOptions {
  at::ScalarType weights_dtype = at::kFloat;
  // The dtype of activations and matrix products: kFloat or kBFloat16 (only with bf16 weights, on hardware
  // that multiplies it fast). Loss, norms, softmax and rotary embedding are always computed in fp32.
  at::ScalarType compute_dtype = at::kFloat;
  // Keeps only each layer's input and recomputes the rest in the backward pass. The results are equal to the
  // last bit.
  bool gradient_checkpointing = false;
  WeightQuantization quantization = nullptr;  // null: no matrix is quantized
};

class CausalLM {
 public:
  virtual ~CausalLM() = default;
  virtual const ModelConfig& config() const = 0;
  // Returns the parameters from the embedding to the head, named as in transformers' state dict. A tied head
  // is one parameter with uses == 2.
  virtual ParameterList parameters() = 0;
  // Draws weights from N(0, initializer_range), sets norms to 1 and biases to 0. The result depends only on
  // the seed and the parameters' names.
  virtual void initialize(uint64_t seed) = 0;
  // Runs the forward and backward pass of one micro-batch. Gradients are those of gradient_scale x (sum of
  // the targets' losses): pass 1 / (targets of the whole update) for a mean over tokens.
  virtual LossSum train_step(const Batch& batch, double gradient_scale) = 0;
  // Sets the dropout masks to those of `place`. From the next train_step() on, dropout has the
  // configuration's probabilities. Evaluation never drops anything.
  virtual void set_dropout(const DropoutPlace& /*place*/) {}
  virtual LossSum evaluate(const Batch& batch) = 0;
  // Returns [rows, length, vocabulary] in fp32. The whole matrix is formed, so it is meant for tests and
  // short inputs.
  virtual at::Tensor logits(const at::Tensor& ids) = 0;

  virtual std::unique_ptr<KeyValueCache> new_cache(int64_t max_length) = 0;
  // Appends `ids` ([length]) to the cached sequence and returns the logits at its last position, [vocabulary]
  // in fp32.
  virtual at::Tensor next_logits(const at::Tensor& ids, KeyValueCache& cache) = 0;

  // The next two functions take rows that predict their own next tokens. ids, labels: [rows, length] int64 on
  // the CPU; labels are shifted here, and -100 is ignored.
  LossSum train_step(const at::Tensor& ids, const at::Tensor& labels, double gradient_scale) {
    return train_step(next_token_batch(ids, labels), gradient_scale);
  }
  LossSum evaluate(const at::Tensor& ids, const at::Tensor& labels) {
    return evaluate(next_token_batch(ids, labels));
  }
};

// Returns the model of config.model_type with weights allocated, but not initialized, on the ledger's device.
// An unknown model_type is an Error. The ledger must outlive the model.
std::unique_ptr<CausalLM> make_causal_lm(const ModelConfig& config, const ModelOptions& options,
                                         Ledger& ledger);

}  // namespace galore
