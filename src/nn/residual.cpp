#include "nn/residual.h"

#include <array>

namespace galore {
namespace {

bool drops(const Pass& pass) { return pass.dropout && pass.dropout->residual > 0; }

// The rows of the batch are the rows of the mask.
void drop(const Pass& pass, const LinearLayer& linear, const at::Tensor& out, const at::Tensor& x,
          Write write) {
  const std::array<int64_t, 2> rows{pass.rows, x.numel() / pass.rows};
  dropout(out.view(rows), x.view(rows), pass.dropout->mask(pass.dropout->residual, linear.name() + ".weight"),
          pass.dropout->place.first_row, write);
}

}  // namespace

void add_branch(const Pass& pass, const LinearLayer& linear, const at::Tensor& x, const at::Tensor& stream) {
  if (!drops(pass)) return linear.forward(pass, x, stream, Write::accumulate);
  const Scratch branch = pass.scratch("residual.branch", stream.sizes());
  linear.forward(pass, x, branch, Write::replace);
  drop(pass, linear, stream, branch, Write::accumulate);
}

void branch_backward(const Pass& pass, LinearLayer& linear, const at::Tensor& x,
                     const at::Tensor& stream_gradient, const at::Tensor& x_gradient) {
  const auto through = [&](const at::Tensor& gradient) {
    linear.input_gradient(pass, gradient, x_gradient, Write::replace);
    linear.report_gradient(pass, gradient, x);
  };
  if (!drops(pass)) return through(stream_gradient);
  const Scratch branch = pass.scratch("residual.branch", stream_gradient.sizes());
  drop(pass, linear, branch, stream_gradient, Write::replace);
  through(branch);
}

}  // namespace galore
