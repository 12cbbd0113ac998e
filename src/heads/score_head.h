// Scores chosen positions: classifiers, regression and value heads. Legend: N places, n features, k outputs.
//
// The layers (score_layers.h) are those of transformers' ...ForSequenceClassification. They always compute in
// fp32.
#pragma once

#include <optional>

#include "heads/head.h"
#include "heads/head_config.h"
#include "heads/score_layers.h"
#include "nn/layer_builder.h"

namespace galore {

class ScoreHead : public Head {
 public:
  ScoreHead(HeadConfig config, int64_t features, const LayerBuilder& builder, const ScoreSize& size = {});

  // The loss is the cross entropy of classes and distributions, the squared error of numbers, the quantile
  // loss, or the preference loss of pairs of places (Targets::pairs). The targets of transitions follow from
  // a target network (heads/value_backup.h, heads/action_value_loss.h).
  LossSum train(const Pass& pass, const at::Tensor& hidden, const Targets& targets, double gradient_scale,
                const at::Tensor& hidden_gradient) override;
  // `out` gets the N losses (pairs: N / 2) and the N x k logits. A head that values actions gives the logits
  // of the actions taken.
  LossSum evaluate(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                   Predictions* out) const override;
  void list(ParameterList& parameters) override { score_.list(parameters); }
  void set_target_weight(const at::Tensor& weight) override { target_weight_ = weight; }
  // A new classifier draws from N(0, initializer_range). A new value head is zero, so its first read-out is
  // the middle of the support.
  void initialize(uint64_t seed, double initializer_range) override;

 private:
  // The losses of a batch's targets, in fp64 on the CPU; empty on the meta device.
  at::Tensor losses(const Pass& pass, const at::Tensor& inputs, const Scratch& logits, const Targets& targets,
                    std::optional<double> gradient_scale, Predictions* out) const;
  at::Tensor target_outputs(const Pass& pass, const at::Tensor& inputs, const Targets& targets) const;
  Scratch gather(const Pass& pass, const at::Tensor& hidden, const at::Tensor& places) const;

  HeadConfig config_;
  int64_t features_;
  ScoreLayers score_;
  at::Tensor target_weight_;  // k x n fp32, or undefined
};

}  // namespace galore
