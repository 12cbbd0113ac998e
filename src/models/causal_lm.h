// A causal language model with a hand-written backward pass that reports every gradient to its parameter's
// sink.
//
// There is no autograd graph: every buffer has a name and an owner, so the memory plan is exact, a steady
// step allocates nothing, and a layer-wise driver may update a weight in the middle of the backward pass.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>

#include "core/batch.h"
#include "core/memory.h"
#include "core/parameter.h"
#include "models/model_config.h"
#include "nn/dropout.h"
#include "nn/language_head.h"

namespace galore {

struct ModelOptions {
  at::ScalarType weights_dtype = at::kFloat;
  // Of activations and matrix products: kFloat or kBFloat16 (only with bf16 weights, on hardware that is fast
  // at it). Loss, norms, softmax and rotary embedding are computed in fp32 either way.
  at::ScalarType compute_dtype = at::kFloat;
  // Keep only each layer's input; recompute the rest in the backward pass. Same numbers to the last bit.
  bool gradient_checkpointing = false;
  WeightCoding coding = nullptr;
};

// Keys and values of one sequence under generation.
class KeyValueCache {
 public:
  virtual ~KeyValueCache() = default;
  virtual int64_t length() const = 0;
};

class CausalLM {
 public:
  virtual ~CausalLM() = default;
  virtual const ModelConfig& config() const = 0;
  // From the embedding to the head, named as in transformers' state dict. A tied head is one parameter with
  // uses == 2.
  virtual ParameterList parameters() = 0;
  // Weights from N(0, initializer_range), norms 1, biases 0, a weight in codes piece by piece; depends only
  // on seed and the parameters' names.
  virtual void initialize(uint64_t seed) = 0;
  // One micro-batch forward and backward: position t predicts targets.labels at t. Gradients are those of
  // gradient_scale x (sum of token losses): pass 1 / (tokens of the whole update) for a token-weighted mean.
  virtual LossSum train_step(const Batch& batch, double gradient_scale) = 0;
  // The same for next-token prediction. ids, labels: [rows, length] int64 on the CPU, one label for each id;
  // position t predicts the label of t + 1. kIgnoredLabel (-100) is not counted.
  LossSum train_step(const at::Tensor& ids, const at::Tensor& labels, double gradient_scale);
  // The configuration's dropout, from the next train_step on, which stands there; before this is called, and
  // outside of training, there is none.
  virtual void set_dropout(const DropoutPlace&) {}
  virtual LossSum evaluate(const Batch& batch) = 0;
  LossSum evaluate(const at::Tensor& ids, const at::Tensor& labels);
  // [rows, length, vocabulary] in fp32; forms the whole matrix, for tests and short inputs.
  virtual at::Tensor logits(const at::Tensor& ids) = 0;

  virtual std::unique_ptr<KeyValueCache> new_cache(int64_t max_length) = 0;
  // Appends `ids` ([length]) to the cached sequence; logits [vocabulary] in fp32 at its last position.
  virtual at::Tensor next_logits(const at::Tensor& ids, KeyValueCache& cache) = 0;
};

// The model of config.model_type, its weights allocated (not initialized) on the ledger's device. An unknown
// model_type is an Error.
std::unique_ptr<CausalLM> make_causal_lm(const ModelConfig& config, const ModelOptions& options,
                                         Ledger& ledger);

}  // namespace galore
