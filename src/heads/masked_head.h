// Predicts masked tokens: BERT's masked language modelling. Legend: T tokens, N of them with a label, n
// features, V vocabulary.
//
// The hidden states of the labelled positions pass a linear layer, an activation and a layer norm, and then
// the matrix to the vocabulary. Nothing is computed for other positions.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "heads/language_head.h"
#include "kernels/activation.h"
#include "nn/norm.h"

namespace galore {

// The names of a masked language model's head in an architecture's checkpoints.
struct MaskedSize {
  std::string dense = "", norm = "", bias = "";  // `bias` is the name in front of ".bias"
  std::string decoder = "";                      // the matrix to the vocabulary if it is not tied
  std::string activation = "gelu";
  double norm_epsilon = 1e-12;
};

class MaskedHead : public Head {
 public:
  // `table` (V x n) is the matrix to the vocabulary unless the configuration unties it.
  MaskedHead(const MaskedSize& size, Parameter& table, bool tied, const LayerBuilder& builder);

  // `targets` has a label for each of the T tokens.
  LossSum train(const Pass& pass, const at::Tensor& hidden, const Targets& targets, double gradient_scale,
                const at::Tensor& hidden_gradient) override;
  // `out` gets the losses of all T tokens.
  LossSum evaluate(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                   Predictions* out) const override;
  void list(ParameterList& parameters) override;

 private:
  // The positions with a label, or the first position if there is none, so that every parameter reports.
  struct Chosen {
    at::Tensor places;  // N int64; undefined on the meta device: all
    Targets targets;
    Pass pass;  // of N tokens
  };
  Chosen choose(const Pass& pass, const Targets& targets) const;
  Scratch gather(const Chosen& chosen, const at::Tensor& hidden) const;
  // Returns the input of the matrix to the vocabulary.
  Scratch transform(const Pass& pass, const at::Tensor& inputs) const;
  void transform_backward(const Pass& pass, const at::Tensor& inputs, const at::Tensor& gradient,
                          const at::Tensor& input_gradient);
  at::Tensor buffer(const Pass& pass, const char* name) const;
  at::Tensor statistics(const Pass& pass) const;

  int64_t features_;
  LinearPointer dense_;
  std::unique_ptr<Norm> norm_;
  const Activation* activation_;
  Parameter decoder_;  // has no value if the head is tied
  std::optional<LanguageHead> words_;
};

}  // namespace galore
