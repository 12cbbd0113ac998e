// A model that the trainer can train: a trunk with a head, and a hand-written backward pass that reports
// every gradient to its parameter's sink.
#pragma once

#include <memory>

#include "core/batch.h"
#include "core/memory.h"
#include "core/parameter.h"
#include "heads/head.h"
#include "heads/token_loss.h"
#include "models/model_config.h"

namespace galore {

class Adapter;
class AdaptedLayers;

struct ModelOptions {
  at::ScalarType weights_dtype = at::kFloat;
  // The dtype of activations and matrix products: kFloat or kBFloat16 (only with bf16 weights, on hardware
  // that multiplies it fast). Loss, norms, softmax and rotary embedding are always computed in fp32.
  at::ScalarType compute_dtype = at::kFloat;
  // Keeps only each layer's input and recomputes the rest in the backward pass. The results are equal to the
  // last bit.
  bool gradient_checkpointing = false;
  WeightQuantization quantization = nullptr;         // null: no matrix is quantized
  LossOptions loss = {};                             // of a language head
  double neftune_noise_alpha = 0;                    // of the noise on embeddings in training (nn/dropout.h)
  std::shared_ptr<const Adapter> adapter = nullptr;  // changes layers (adapters/adapter.h); null: none
};

class TrainableModel {
 public:
  virtual ~TrainableModel() = default;
  virtual const ModelConfig& config() const = 0;
  // Returns the parameters from the embedding to the head, named as in transformers' state dict. A tied head
  // is one parameter with uses == 2.
  virtual ParameterList parameters() = 0;
  // Draws weights from N(0, initializer_range), sets norms to 1 and biases to 0. The result depends only on
  // the seed and the parameters' names.
  virtual void initialize(uint64_t seed) = 0;
  // Returns the layers that ModelOptions::adapter has made, or null if there is no adapter.
  virtual const AdaptedLayers* adapted() const { return nullptr; }
  // Hands a copy of the head's weight to the head (heads/head.h).
  virtual void set_target_weight(const at::Tensor& /*weight*/) {}
  // Draws the head alone.
  virtual void initialize_head(uint64_t /*seed*/) {}
  // Runs the forward and backward pass of one micro-batch. Gradients are those of gradient_scale x (sum of
  // the targets' losses): pass 1 / (targets of the whole update) for a mean over targets.
  virtual LossSum train_step(const Batch& batch, double gradient_scale) = 0;
  // Sets the dropout masks to those of `place`. From the next train_step() on, dropout has the
  // configuration's probabilities. Evaluation never drops anything.
  virtual void set_dropout(const DropoutPlace& /*place*/) {}
  // `out` may be null.
  virtual LossSum evaluate(const Batch& batch, Predictions* out = nullptr) = 0;
};

// Returns the model of config.model_type with the head of config.head. Weights are allocated on the ledger's
// device, but not initialized. An unknown model_type is an Error. The ledger must outlive the model.
std::unique_ptr<TrainableModel> make_model(const ModelConfig& config, const ModelOptions& options,
                                           Ledger& ledger);

}  // namespace galore
