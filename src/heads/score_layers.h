// The layers from the hidden states of scored places to their logits. Legend: N places, n features, k
// outputs.
#pragma once

#include <string>

#include "kernels/activation.h"
#include "nn/layer_builder.h"

namespace galore {

// The names and the kind of a score head in an architecture's checkpoints. Decoders have one layer, and
// encoders put a layer of n outputs and an activation in front of it: BERT's pooler, for example.
struct ScoreSize {
  std::string output = "score";
  bool bias = false;                        // of the output layer
  std::string dense = "", activation = "";  // the layer in front and its activation; "": none
  bool drops_inputs = false;                // dropout in front of the dense layer too (RoBERTa)
  // Heads of values have none: it would be noise on a number, and its masks have one row for each place.
  bool has_dropout = true;
};

class ScoreLayers {
 public:
  ScoreLayers(ScoreSize size, int64_t features, int64_t outputs, const LayerBuilder& builder);

  // Returns the logits (N x k) of inputs (N x n), all in fp32. With dropout the inputs change. Row i of a
  // mask of dropout belongs to place i, so there is one place in each row of a training batch.
  Scratch forward(const Pass& pass, const at::Tensor& inputs) const;
  // Computes input_gradient (N x n) after forward() with the same inputs. All parameters report.
  void backward(const Pass& pass, const at::Tensor& inputs, const at::Tensor& logits_gradient,
                const at::Tensor& input_gradient);
  void list(ParameterList& parameters);
  // Makes all logits zero. A layer in front of the output keeps its weights: zeros in both layers would never
  // learn, because the gradient of each is a product with the other.
  void zero_output();

 private:
  void drop(const Pass& pass, const at::Tensor& x, const std::string& name) const;
  // Returns the dense layer's output before and after its activation.
  at::Tensor buffer(const Pass& pass, const char* name, const at::Tensor& like) const;

  ScoreSize size_;
  int64_t outputs_;
  LinearPointer dense_;  // null: none
  LinearPointer output_;
  const Activation* activation_ = nullptr;
};

}  // namespace galore
