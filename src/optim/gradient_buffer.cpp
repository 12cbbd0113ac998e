#include "optim/gradient_buffer.h"

#include <utility>

#include "core/errors.h"
#include "kernels/apply_direction.h"
#include "kernels/embedding.h"
#include "optim/parameter_groups.h"

namespace galore {

GradientBuffer::GradientBuffer(Parameter& parameter, Workspace& workspace, std::function<void()> on_complete)
    : parameter_(parameter), workspace_(workspace), on_complete_(std::move(on_complete)) {}

void GradientBuffer::begin(const Update& update) {
  update_ = update;
  tree_ = TreeSum(update.share.leaves());
  sum_ = {};
  group_ = update.share.first_group();
  exact_squared_norm_ = 0;
  has_left_ = false;
  begin_group();
}

// An idle process makes one pass without a micro-batch, so that its weights complete in the order of the
// others.
void GradientBuffer::begin_group() {
  const int64_t micro_batches = update_.share.idle() ? 1 : update_.share.size_of(group_);
  remaining_ = micro_batches * parameter_.uses;
  fresh_ = true;
  lent_ = false;
  buffer_.reset();
}

// Allocates with the first report and not in begin(). Buffers of one name grow from parameter to parameter,
// and buffers that were handed out before would stay alive without being counted.
void GradientBuffer::acquire() {
  GALORE_ASSERT(remaining_ > 0);
  if (!buffer_.defined()) allocate();
}

void GradientBuffer::allocate() {
  const auto shape = projected() ? update_.subspace->low_rank_shape() : matrix_sizes(parameter_);
  const std::string own = (update_.name.empty() ? parameter_.name : update_.name) +
                          (projected() ? ".low_rank_gradient" : ".gradient");
  const std::string place = sum_.partials.empty() ? "" : fmt::format(".partial_{}", sum_.partials.size());
  const char* shared = projected() ? kSharedLowRankBuffer : kSharedBuffer;
  buffer_ = workspace_.get(Owner::gradients, update_.shared ? shared : own + place, shape, at::kFloat);
}

void GradientBuffer::keep_projection(Subspace& subspace, bool refreshed) {
  GALORE_ASSERT(complete() && !projected());
  const at::Tensor low_rank = subspace.project(buffer_, refreshed);
  update_.subspace = &subspace;
  update_.shared = false;
  lent_ = false;
  buffer_ =
      workspace_.get(Owner::gradients, parameter_.name + ".low_rank_gradient", low_rank.sizes(), at::kFloat);
  buffer_.copy_(low_rank);
}

double GradientBuffer::squared_norm() const {
  if (update_.ignored) return 0;
  return projected() && update_.exact_norm ? exact_squared_norm_ : kernels::sum_squares(buffer_);
}

void GradientBuffer::accumulate(const at::Tensor& part) {
  fresh_ ? buffer_.copy_(part) : buffer_.add_(part);
  fresh_ = false;
}

// Reports are summed in fp32, whatever the dtype of the products.
void GradientBuffer::accumulate_product(const at::Tensor& left_transposed, const at::Tensor& right) {
  acquire();
  outer_product(buffer_, left_transposed, right, /*accumulate=*/!fresh_, workspace_);
  fresh_ = false;
}

void GradientBuffer::add_product(const at::Tensor& output_gradient, const at::Tensor& input) {
  if (drops()) return;
  if (!projected()) return accumulate_product(output_gradient, input);
  const OuterProduct product(output_gradient, input, workspace_);
  const auto refresh = std::exchange(update_.refresh, nullptr);
  if (refresh) refresh(product);
  if (update_.exact_norm) exact_squared_norm_ += product.squared_norm();
  Subspace& subspace = *update_.subspace;
  accumulate_product(
      subspace.side() == Side::right ? output_gradient : product.reduced_output(subspace.left()),
      subspace.side() == Side::left ? input : product.reduced_input(subspace.right()));
  if (refresh) subspace.measure(product, buffer_);
}

void GradientBuffer::add_rows(const at::Tensor& indices, const at::Tensor& gradient) {
  if (drops()) return;
  at::Tensor rows = gradient.to(at::kFloat);
  if (projected()) {
    Subspace& subspace = *update_.subspace;
    if (subspace.side() != Side::left) rows = reduced_input(rows, subspace.right(), workspace_);
    // The rows of an identity replace the gradient of a linear layer's output.
    if (subspace.side() != Side::right)
      return accumulate_product(subspace.left().index_select(0, indices), rows);
  }
  acquire();
  if (fresh_) buffer_.zero_();
  fresh_ = false;
  galore::add_rows(buffer_, indices, rows);
}

void GradientBuffer::add(const at::Tensor& gradient) {
  if (drops()) return;
  acquire();
  const at::Tensor matrix = gradient.reshape(matrix_sizes(parameter_));
  accumulate(projected() ? update_.subspace->project(matrix.to(at::kFloat)) : matrix);
}

void GradientBuffer::lend(const at::Tensor& gradient) {
  const bool is_only_one = update_.shared && remaining_ == 1 && fresh_ && update_.share.processes == 1;
  const bool is_plain = gradient.scalar_type() == at::kFloat && gradient.is_contiguous();
  if (drops() || projected() || update_.share.narrow || !is_only_one || !is_plain) return add(gradient);
  buffer_ = gradient.view(matrix_sizes(parameter_));
  fresh_ = false;
  lent_ = true;
}

at::Tensor GradientBuffer::own_gradient() {
  if (!lent_) return buffer_;
  const at::Tensor lent = std::exchange(buffer_, {});
  allocate();
  buffer_.copy_(lent);
  lent_ = false;
  return buffer_;
}

void GradientBuffer::use_done() {
  GALORE_ASSERT(remaining_ > 0);
  if (--remaining_ > 0) return;
  if (!update_.ignored) end_group();
  if (++group_ < update_.share.end_group()) return begin_group();
  on_complete_();
  if (!update_.shared) return;
  buffer_.reset();
  sum_.partials.clear();
  if (!has_left_) sum_.total.reset();
}

void GradientBuffer::leave_buffer() {
  if (!update_.shared) return;
  has_left_ = true;
  sum_.total = at::empty_like(sum_.total);
}

void GradientBuffer::drop_sum() {
  if (!has_left_) return;
  buffer_.reset();
  sum_.total.reset();
}

// Adds the sum of the group to the tree. The sums of the tree's nodes stand in buffers of their own, the
// first of which becomes the sum of the update.
void GradientBuffer::end_group() {
  if (fresh_) {  // nothing was reported, so the buffer holds an older gradient
    if (!buffer_.defined()) allocate();
    buffer_.zero_();
  }
  if (!update_.share.idle()) {
    sum_.reported = sum_.reported || !fresh_;
    const auto round = [this](at::Tensor& sum) {
      if (update_.share.narrow) sum.copy_(sum.to(at::kBFloat16));
    };
    round(sum_.partials.emplace_back(buffer_));
    tree_.push({group_, group_ + 1}, [&](size_t i) {
      round(sum_.partials[i].add_(sum_.partials.back()));
      sum_.partials.pop_back();
    });
    buffer_ = sum_.partials.front();
  }
  sum_.total = buffer_;
}

}  // namespace galore
