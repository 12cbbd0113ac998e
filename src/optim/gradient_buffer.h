// Collects the gradient of one parameter during an update, whole or already projected.
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
  // `on_complete` is called once per update, after every use in every micro-batch of this process has
  // reported its gradient.
  GradientBuffer(Parameter& parameter, Workspace& workspace, std::function<void()> on_complete);

  struct Update {
    UpdateShare share = {};
    // Non-null: only the low-rank gradient is formed, by dY^T (X P) or (dY P)^T X (the identity of LoQT,
    // arXiv 2405.16528, and CompAct, arXiv 2410.15352).
    Subspace* subspace = nullptr;
    // With a subspace, for parameters with whole_products: called once, before the first product is
    // projected, to take a new basis from the product. With several micro-batches the first one decides.
    std::function<void(const GradientOperator&)> refresh = nullptr;
    // With a subspace and whole_products, the norm of the full gradient is computed as well. The update must
    // have one micro-batch, because none of several knows that norm.
    bool exact_norm = false;
    // The buffer may be shared with other parameters: `on_complete` consumes this gradient before the next
    // parameter reports.
    bool shared = false;
    // Reports are dropped.
    bool ignored = false;
    // The name of the buffer, instead of the parameter's. Parameters share a buffer when at most one of them
    // at a time is not ignored.
    std::string name = "";
  };
  void begin(const Update& update);
  // Replaces a complete full gradient by its projection, in a buffer of this parameter. `refreshed` tells
  // that the basis was just taken from this gradient.
  void keep_projection(Subspace& subspace, bool refreshed);
  // Reports a gradient that stays as it is until use_done() has returned. It is not copied if it is the only
  // report of a shared buffer, in fp32 and contiguous.
  void lend(const at::Tensor& gradient);
  // Returns gradient() in memory that the caller may overwrite.
  at::Tensor own_gradient();
  // Makes the next report the last one of this update, which has one group.
  void close() { remaining_ = parameter_.uses; }
  // Call it in `on_complete` before the sum over the processes is begun, unless it is also finished there.
  // The sum of a shared buffer then gets memory of its own, because the next parameter takes over the buffer.
  void leave_buffer();
  // Call it when the sum over the processes is finished: gradient() returns it.
  void take_sum() { buffer_ = sum_.total; }
  // Frees the memory of a sum that has left its buffer.
  void drop_sum();
  bool ignored() const { return update_.ignored; }
  bool complete() const { return remaining_ == 0; }
  // Returns the sum over the processes that this process takes part in. It is valid when the process's share
  // is complete. While the update lasts, the caller may add to its total.
  GradientSum& sum() { return sum_; }
  // Call it when another process tells whether any use had a gradient.
  void set_reported(bool reported) { sum_.reported = reported; }
  // Returns true when the update is complete and no use had a gradient, as those of an expert that no token
  // chose. The gradient is 0 then.
  bool missing() const { return !update_.ignored && complete() && !sum_.reported; }
  // Returns the gradient in fp32, in the parameter's shape or, when begun with a subspace, in the low-rank
  // shape. It may be the caller's own (lend()), and is only to be read. It is valid from the end of the share
  // to the next begin(), and in a shared buffer until `on_complete` returns or, if the sum has left the
  // buffer, from take_sum() to drop_sum().
  at::Tensor gradient() const { return buffer_; }
  bool projected() const { return update_.subspace != nullptr; }
  // Returns the squared norm of gradient(), or 0 when it is ignored. With exact_norm it is the squared norm
  // of the full gradient.
  double squared_norm() const;

  void add_product(const at::Tensor& output_gradient, const at::Tensor& input) override;
  void add_rows(const at::Tensor& indices, const at::Tensor& gradient) override;
  void add(const at::Tensor& gradient) override;
  void use_done() override;

  // There are two names, because the full-size buffer serves as scratch while a shared low-rank gradient is
  // consumed.
  static constexpr const char* kSharedBuffer = kSharedGradient;
  static constexpr const char* kSharedLowRankBuffer = "optimizer.low_rank_gradient";

 private:
  bool drops() const { return update_.ignored || update_.share.idle(); }
  void acquire();
  void allocate();
  void begin_group();
  void end_group();
  void accumulate(const at::Tensor& part);
  void accumulate_product(const at::Tensor& left_transposed, const at::Tensor& right);

  Parameter& parameter_;
  Workspace& workspace_;
  std::function<void()> on_complete_;
  Update update_;
  TreeSum tree_;       // of the groups that are complete; their sums are those of sum_
  GradientSum sum_;    // of this update
  at::Tensor buffer_;  // of the current group and, in the end, of the update
  int64_t group_ = 0;
  int64_t remaining_ = 0;  // reports of the current group
  double exact_squared_norm_ = 0;
  bool fresh_ = true;      // nothing has been added to the group yet, so the first report overwrites
  bool lent_ = false;      // the buffer is the caller's gradient
  bool has_left_ = false;  // the sum of this update has left the shared buffer
};

}  // namespace galore
