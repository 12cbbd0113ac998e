#include "nn/residual.h"

#include <ATen/ATen.h>

#include <array>

namespace galore {
namespace {

// The rows of the batch are the rows of the mask.
void drop(const Pass& pass, const LinearLayer& linear, const at::Tensor& out, const at::Tensor& x,
          Write write) {
  const std::array<int64_t, 2> rows{pass.rows, x.numel() / pass.rows};
  dropout(out.view(rows), x.view(rows), pass.dropout->mask(pass.dropout->residual, linear.name() + ".weight"),
          pass.dropout->place.first_row, write);
}

}  // namespace

Branch::Branch(const Place& place, const BranchSize& size, const LayerBuilder& builder) : size_(size) {
  if (!size.norm.empty()) norm_ = make_norm(place.at(size.norm), size.norm_size, builder);
}

bool Branch::drops(const Pass& pass) const {
  return size_.drops && pass.dropout && pass.dropout->residual > 0;
}

bool Branch::is_plain(const Pass& pass) const { return !drops(pass) && !norm_ && size_.multiplier == 1; }

at::Tensor Branch::output(const Pass& pass, at::IntArrayRef shape) const {
  return pass.saved(size_.norm + ".input", shape);
}

at::Tensor Branch::statistics(const Pass& pass, int64_t tokens) const {
  return norm_->statistics(pass, size_.norm + ".statistics", tokens);
}

void Branch::compute(const Pass& pass, const LinearLayer& linear, const at::Tensor& x,
                     const at::Tensor& out) {
  if (!norm_) return linear.forward(pass, x, out, Write::replace);
  const at::Tensor before = output(pass, out.sizes());
  linear.forward(pass, x, before, Write::replace);
  norm_->forward(pass, before, out, statistics(pass, out.size(0)));
}

void Branch::add(const Pass& pass, const LinearLayer& linear, const at::Tensor& x, const at::Tensor& stream) {
  if (is_plain(pass)) return linear.forward(pass, x, stream, Write::accumulate);
  const Scratch branch = pass.scratch("residual.branch", stream.sizes());
  compute(pass, linear, x, branch);
  if (size_.multiplier != 1) branch->mul_(size_.multiplier);
  if (drops(pass)) {
    drop(pass, linear, stream, branch, Write::accumulate);
  } else {
    stream.add_(branch);
  }
}

void Branch::recompute(const Pass& pass, const LinearLayer& linear, const at::Tensor& x) {
  const Scratch branch = pass.scratch("residual.branch", {pass.tokens(), size_.norm_size.features});
  compute(pass, linear, x, branch);
}

BranchGradient Branch::output_gradient(const Pass& pass, const LinearLayer& linear,
                                       const at::Tensor& stream_gradient) {
  if (is_plain(pass)) return {stream_gradient, {}};
  Scratch branch = pass.scratch("residual.branch", stream_gradient.sizes());
  if (drops(pass)) {
    drop(pass, linear, branch, stream_gradient, Write::replace);
  } else {
    branch->copy_(stream_gradient);
  }
  if (size_.multiplier != 1) branch->mul_(size_.multiplier);
  const at::Tensor above = branch;
  if (!norm_) return {above, std::move(branch)};
  Scratch below = pass.scratch("residual.output_gradient", above.sizes());
  below->zero_();
  norm_->backward(pass, above, below, output(pass, above.sizes()), statistics(pass, above.size(0)));
  const at::Tensor gradient = below;
  return {gradient, std::move(below)};
}

void Branch::list(ParameterList& parameters) {
  if (norm_) norm_->list(parameters);
}

}  // namespace galore
