// Additions to the cross entropy of tokens: label smoothing, z-loss and preferences. Legend: c tokens of a
// chunk, V vocabulary.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/batch.h"

namespace galore {

enum class PreferenceLoss { sigmoid, ipo };

// What the loss of a language head holds besides the plain cross entropy. These parts act in training; an
// evaluation of tokens reports the plain cross entropy, so that runs stay comparable.
struct LossOptions {
  // The loss of a token is (1 - s) times its cross entropy plus s times the mean over all ids, as in
  // transformers' LabelSmoother.
  double label_smoothing = 0;
  double z_loss = 0;  // this times the square of log(sum(exp(logits))) is added (PaLM, arXiv 2204.02311)
  // The loss of pairs (DPO, arXiv 2305.18290; IPO, arXiv 2310.12036) and its beta.
  PreferenceLoss preference = PreferenceLoss::sigmoid;
  double beta = 0.1;

  bool is_plain() const { return label_smoothing == 0 && z_loss == 0; }
};

// As cross_entropy() (kernels/cross_entropy.h), with label smoothing and z-loss. `scratch` has the shape of
// the logits and is overwritten.
void smoothed_cross_entropy(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels,
                            double gradient_scale, const LossOptions& options, const at::Tensor& scratch);

// The losses of a batch of pairs. targets.places holds [begin, middle, end) of each pair, counted in tokens
// of the batch: the preferred document, then the rejected one. targets.values (pairs x 2) holds the
// log-probabilities that the reference gives them.
struct PairLosses {
  LossSum sum;
  std::vector<double> losses;  // of each pair
  at::Tensor log_probs;        // pairs x 2, fp64, of the model; IPO: the means over their tokens
  std::vector<float> weights;  // of each token: the derivative of the sum by its cross entropy
};
// `losses` and `labels` are those of the batch's tokens, on the CPU.
PairLosses pair_losses(const at::Tensor& losses, const at::Tensor& labels, const Targets& targets,
                       const LossOptions& options);

}  // namespace galore
