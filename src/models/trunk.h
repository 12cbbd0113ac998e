// A model without its head: from token ids to hidden states. Legend: T tokens of the batch, n features.
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

// What a forward pass leaves behind: the inputs of a backward pass, or nothing.
enum class Keep { for_backward, nothing };

class Trunk {
 public:
  virtual ~Trunk() = default;
  virtual const ModelConfig& config() const = 0;
  // From the embedding to the last norm, named as in transformers' state dict.
  virtual ParameterList parameters() = 0;
  // Draws matrices from N(0, initializer_range), sets norms to 1 and biases to 0. The result depends only on
  // the seed and the parameters' names.
  virtual void initialize(uint64_t seed) = 0;
  // From the next training pass on, dropout has the configuration's probabilities, and masks are those of
  // `place`.
  virtual void set_dropout(const DropoutPlace& place) = 0;

  // The pass that heads share with this trunk for this batch.
  virtual Pass pass_for(const Batch& batch, Keep keep) = 0;
  // Hidden states after the last norm (T x n), on loan: the result must be destroyed before backward(). Only
  // Keep::for_backward applies dropout.
  virtual Scratch forward(const Pass& pass, const Batch& batch, Keep keep) = 0;
  // The buffer for the gradient of the hidden states (T x n), to be filled and handed to backward().
  virtual Scratch hidden_gradient(const Pass& pass) = 0;
  // Of the last forward pass with Keep::for_backward. Every parameter reports its gradient.
  virtual void backward(const Pass& pass, Scratch hidden_gradient) = 0;

  // The table of token embeddings. A tied head shares it and raises its number of uses.
  virtual Parameter& token_embedding() = 0;

  virtual std::unique_ptr<KeyValueCache> new_cache(int64_t max_length) = 0;
  // Appends `ids` ([length]) to the cached sequence; the hidden state (1 x n) of the last of them.
  virtual Scratch extend(const at::Tensor& ids, KeyValueCache& cache) = 0;
  // The pass of extend()'s result.
  virtual Pass pass_of_one_token() = 0;
};

}  // namespace galore
