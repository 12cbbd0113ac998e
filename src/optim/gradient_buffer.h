// Where one parameter's gradient is collected during an update, whole or already projected.
#pragma once

#include <functional>
#include <string>

#include "core/collective.h"
#include "core/memory.h"
#include "core/parameter.h"
#include "optim/subspaces/subspace.h"

namespace galore {

class GradientBuffer : public GradientSink {
 public:
  // `on_complete` is called once an update, when every use of every micro-batch has reported and the
  // processes' gradients have been summed.
  GradientBuffer(Parameter& parameter, Workspace& workspace, std::function<void()> on_complete,
                 Collective& collective = single_process());

  struct Update {
    int64_t micro_batches = 1;
    // Non-null: only the low-rank gradient is formed, by dY^T (X P) or (dY P)^T X (the identity of LoQT,
    // arXiv 2405.16528, and CompAct, arXiv 2410.15352).
    Subspace* subspace = nullptr;
    // With a subspace: called once, before the first product is projected, to take a new basis from it; of
    // parameters with whole_products. With several micro-batches the first one decides.
    std::function<void(const GradientOperator&)> refresh = nullptr;
    // With a subspace and whole_products: the norm of the gradient in full is wanted as well. Not with
    // several processes, which do not know it.
    bool exact_norm = false;
    // The buffer may be shared with other parameters: this one is consumed by `on_complete`, before the next
    // one reports.
    bool shared = false;
    // What is reported is not kept.
    bool ignored = false;
    // Of the buffer, instead of the parameter's: parameters of which one at a time is not ignored share it.
    std::string name = "";
  };
  void begin(const Update& update);
  // Of a complete gradient in full: keeps its projection alone, in a buffer of this parameter. `refreshed`:
  // by a basis just taken from it.
  void keep_projection(Subspace& subspace, bool refreshed);
  bool ignored() const { return update_.ignored; }
  bool complete() const { return remaining_ == 0; }
  // fp32, of the parameter's shape, or the low-rank shape when begun with a subspace. From the first report
  // to the next begin(); a shared one until `on_complete` returns.
  at::Tensor gradient() const { return buffer_; }
  bool projected() const { return update_.subspace != nullptr; }
  // Of what gradient() holds, 0 where it is ignored; with exact_norm, of the gradient in full.
  double squared_norm() const;

  void add_product(const at::Tensor& output_gradient, const at::Tensor& input) override;
  void add_rows(const at::Tensor& indices, const at::Tensor& gradient) override;
  void add(const at::Tensor& gradient) override;
  void use_done() override;

  // Two names: while a shared low-rank gradient is consumed, the full-size buffer serves as scratch.
  static constexpr const char* kSharedBuffer = kSharedGradient;
  static constexpr const char* kSharedLowRankBuffer = "optimizer.low_rank_gradient";

 private:
  void acquire();
  void accumulate(const at::Tensor& part);
  void accumulate_product(const at::Tensor& left_transposed, const at::Tensor& right);

  Parameter& parameter_;
  Workspace& workspace_;
  Collective& collective_;
  std::function<void()> on_complete_;
  Update update_;
  at::Tensor buffer_;
  int64_t remaining_ = 0;
  double exact_squared_norm_ = 0;
  bool fresh_ = true;  // nothing has been added yet: the first report overwrites
};

}  // namespace galore
