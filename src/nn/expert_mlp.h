// A mixture of experts: a router chooses, for each token, the k most probable of E gated MLPs, and adds their
// outputs weighted by the probabilities (Shazeer et al., 2017). An expert computes the tokens that chose it,
// which are gathered into one matrix. An expert that no token chose reports uses without gradients. Legend: T
// tokens.
#pragma once

#include <vector>

#include "nn/mlp.h"

namespace galore {

class ExpertMlp : public Mlp {
 public:
  ExpertMlp(const Place& place, const MlpSize& size, const LayerBuilder& builder);

  // Saves the router's results, and the outputs of gate and up for each pair of token and chosen expert.
  void forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) override;
  void forward_inputs(const Pass& pass, const at::Tensor& input) override;
  void backward(const Pass& pass, const at::Tensor& stream_gradient,
                const at::Tensor& input_gradient) override;
  void report_inputs(const Pass& pass, const at::Tensor& input) override;
  void list(ParameterList& parameters) override;

 private:
  struct Expert {
    LinearPointer gate, up, down;
  };
  // The saved results of the router, and the pairs of token and expert in the order of experts.
  struct Routes {
    at::Tensor probabilities;  // T x E, fp32
    at::Tensor chosen;         // T x k int64, experts
    at::Tensor pairs;          // T k int64: numbers of pairs, t k + i
    at::Tensor counts;         // E int64 on the CPU
    at::Tensor weights;        // T x k, fp32
  };
  // The pairs of one expert, which are the rows from `first` on in the saved outputs of gate and up.
  struct Share {
    at::Tensor tokens, pairs;
    int64_t first, count;
  };
  void route(const Pass& pass, const at::Tensor& input);
  Routes routes(const Pass& pass) const;
  // Calls work(expert, share) for each expert with tokens, and idle(expert) for the others.
  template <typename Work, typename Idle>
  void for_each_expert(const Routes& routes, const Work& work, const Idle& idle);
  at::Tensor saved(const Pass& pass, const char* name, const Share& share) const;
  void run_gate_and_up(const Pass& pass, Expert& expert, const Share& share, const at::Tensor& input);
  // Computes the gradients of the share's outputs of gate and up, in place, and of its weights (of T x k),
  // from the gradient of the stream in `rows`, which is multiplied by the weights.
  void backward_expert(const Pass& pass, Expert& expert, const Share& share, const at::Tensor& weights,
                       const at::Tensor& weight_gradient, const at::Tensor& rows);
  // Computes the gradient of the router's logits, which is saved, from that of the chosen weights (T x k).
  void backward_router(const Pass& pass, const Routes& routes, const at::Tensor& weight_gradient);
  at::Tensor logits_gradient(const Pass& pass) const;
  // Leases the buffer for the rows of one expert's tokens.
  Scratch gathered(const Pass& pass, const char* name) const;

  MlpSize size_;
  LinearPointer router_;
  std::vector<Expert> experts_;
};

}  // namespace galore
