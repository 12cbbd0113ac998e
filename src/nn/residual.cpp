#include "nn/residual.h"

#include <array>

namespace galore {
namespace {

bool drops(const Pass& pass) { return pass.dropout && pass.dropout->residual > 0; }

// A batch's rows are the mask's, with their positions in them.
void drop(const Pass& pass, const Linear& linear, const at::Tensor& out, const at::Tensor& x, Write write) {
  const std::array<int64_t, 2> rows{pass.rows, x.numel() / pass.rows};
  dropout(out.view(rows), x.view(rows), pass.dropout->mask(pass.dropout->residual, linear.weight().name),
          pass.dropout->place.first_row, write);
}

}  // namespace

void add_branch(const Pass& pass, const Linear& linear, const at::Tensor& x, const at::Tensor& stream) {
  if (!drops(pass)) return linear.forward_add(pass, x, stream);
  const at::Tensor branch = pass.scratch("residual.branch", stream.sizes());
  linear.forward(pass, x, branch);
  drop(pass, linear, stream, branch, Write::accumulate);
}

at::Tensor branch_gradient(const Pass& pass, const Linear& linear, const at::Tensor& stream_gradient) {
  if (!drops(pass)) return stream_gradient;
  const at::Tensor branch = pass.scratch("residual.branch", stream_gradient.sizes());
  drop(pass, linear, branch, stream_gradient, Write::replace);
  return branch;
}

}  // namespace galore
