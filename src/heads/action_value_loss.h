// The loss of a head that values each token of the vocabulary as the next action: a temporal-difference term
// for the action taken, and a conservative term. Legend: N places, A actions, m outputs of an action.
//
// The target of a place is its reward plus the discounted value of the best next action. As in double DQN
// (arXiv 1509.06461), the head itself chooses that action and the target network values it. The conservative
// term is the one of CQL (arXiv 2006.04779), log sum exp Q(s, .) - Q(s, a), which is the cross entropy of the
// action taken if read-outs are logits (arXiv 2403.03950, section 4.3.2).
#pragma once

#include <optional>

#include "heads/head.h"
#include "heads/head_config.h"
#include "kernels/value_loss.h"

namespace galore {

// The outputs of a batch's places, N x (A m) in fp32: those of the head, and those of the target network,
// which are undefined if there are no transitions.
struct ActionOutputs {
  at::Tensor own, target;
};

class ActionValueLoss {
 public:
  // Leases all buffers from the pass, which computes in fp32, and reads out the values of all actions.
  ActionValueLoss(const Pass& pass, const HeadConfig& config, const ActionOutputs& outputs,
                  const Targets& targets);
  // Computes the losses of each place and replaces the head's outputs by gradient_scale times the gradient of
  // their sum, unless there is no gradient_scale. `out` may be null.
  void compute(const ValueLosses& losses, std::optional<double> gradient_scale, Predictions* out);

 private:
  at::Tensor rows_of(const at::Tensor& actions) const;
  at::Tensor td_targets() const;
  void read_out_all();
  void add_conservative_term(const at::Tensor& losses, std::optional<double> gradient_scale);
  void spread_slopes();

  const HeadConfig& config_;
  const Targets& targets_;
  ActionOutputs outputs_;
  at::Tensor rows_;          // (N A) x m, a view of the head's outputs
  Scratch values_, slopes_;  // N x A: the read-outs, and the derivatives of the losses by them
  Scratch shares_;           // (N A) x m: softmax of the outputs of a categorical head
  Scratch chosen_;           // N x m: the outputs of the actions taken
};

}  // namespace galore
