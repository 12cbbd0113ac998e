// Scores chosen positions: classifiers, regression and value heads. Legend: N places, n features, k outputs.
//
// The layers (score_layers.h) are those of transformers' ...ForSequenceClassification. They always compute in
// fp32.
#pragma once

#include "heads/head.h"
#include "heads/head_config.h"
#include "heads/score_layers.h"
#include "nn/layer_builder.h"

namespace galore {

class ScoreHead : public Head {
 public:
  ScoreHead(HeadConfig config, int64_t features, const LayerBuilder& builder, const ScoreSize& size = {});

  // The loss is the cross entropy of classes and distributions, the squared error of numbers, or the
  // preference loss of pairs of places (Targets::pairs).
  LossSum train(const Pass& pass, const at::Tensor& hidden, const Targets& targets, double gradient_scale,
                const at::Tensor& hidden_gradient) override;
  // `out` gets the N losses (pairs: N / 2) and the N x k logits.
  LossSum evaluate(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                   Predictions* out) const override;
  void list(ParameterList& parameters) override { score_.list(parameters); }
  // A new classifier draws from N(0, initializer_range). A new value head is zero, so its first read-out is
  // the middle of the support.
  void initialize(uint64_t seed, double initializer_range) override;

 private:
  Scratch gather(const Pass& pass, const at::Tensor& hidden, const at::Tensor& places) const;

  HeadConfig config_;
  int64_t features_;
  ScoreLayers score_;
};

}  // namespace galore
