// A trunk is a model without its head: it turns token ids into hidden states. Legend: T tokens of the batch,
// n features.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "core/batch.h"
#include "core/memory.h"
#include "core/parameter.h"
#include "models/key_value_cache.h"
#include "models/model_config.h"
#include "nn/pass.h"

namespace galore {

// Says whether a forward pass keeps the inputs of a backward pass.
enum class Keep { for_backward, nothing };

class Trunk {
 public:
  virtual ~Trunk() = default;
  virtual const ModelConfig& config() const = 0;
  // Returns the parameters from the embedding to the last norm, named as in transformers' state dict.
  virtual ParameterList parameters() = 0;
  // Draws matrices from N(0, initializer_range), sets norms to 1 and biases to 0. The result depends only on
  // the seed and the parameters' names.
  virtual void initialize(uint64_t seed) = 0;
  // Sets the dropout masks to those of `place`. From the next training pass on, dropout has the
  // configuration's probabilities.
  virtual void set_dropout(const DropoutPlace& place) = 0;

  // Returns the pass that heads share with this trunk for this batch.
  virtual Pass pass_for(const Batch& batch, Keep keep) = 0;
  // Returns a lease of the hidden states after the last norm (T x n). The result must be destroyed before
  // backward(). Only Keep::for_backward applies dropout.
  virtual Scratch forward(const Pass& pass, const Batch& batch, Keep keep) = 0;
  // Returns the buffer for the gradient of the hidden states (T x n). Fill it and hand it to backward().
  virtual Scratch hidden_gradient(const Pass& pass) = 0;
  // Runs the backward pass of the last forward pass with Keep::for_backward. Every parameter reports its
  // gradient.
  virtual void backward(const Pass& pass, Scratch hidden_gradient) = 0;
  // Returns what the last forward pass adds to the mean loss of a token, such as the balancing loss of
  // routers. The next backward pass adds gradient_scale times its gradient.
  virtual double additional_loss(double /*gradient_scale*/) { return 0; }

  // Returns the table of token embeddings. A tied head shares the table and raises its number of uses.
  virtual Parameter& token_embedding() = 0;

  virtual std::unique_ptr<KeyValueCache> new_cache(int64_t max_length) = 0;
  // Appends `ids` ([length]) to the cached sequence and returns the hidden state (1 x n) of the last id.
  virtual Scratch extend(const at::Tensor& ids, KeyValueCache& cache) = 0;
  // Returns the pass for extend()'s result.
  virtual Pass pass_of_one_token() = 0;
};

}  // namespace galore
