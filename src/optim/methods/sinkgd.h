// SinkGD: Gradient Multi-Normalization for Stateless and Scalable LLM Training.
// Scetbon, Ma, Gong, Meeds; NeurIPS 2025; arXiv 2502.06742, Algorithm 3.
//
//   symbol   name in code   default   where the default comes from
//   L        iterations     5         paper, section 5
//            scale          1         ours: a factor on the direction
//
// X starts as G. L times, every row of X is divided by its norm and multiplied by sqrt(n); then every column
// is divided by its norm and multiplied by sqrt(m). Rows and columns of zeros stay. direction = scale X.
//
// The result is diag(r) G diag(c), and r_i^2 = n / sum_j c_j^2 G_ij^2 does not depend on the old r. So only r
// and c are kept until the end (kernels/two_sided.h).
//
// State: none. Departures: none.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct SinkgdOptions {
  int64_t iterations = 5;
  double scale = 1;
};
void declare_options(OptionTable& table, SinkgdOptions& options);

std::unique_ptr<Method> make_sinkgd(const SinkgdOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> sinkgd_kind(const SinkgdOptions& options = {});

}  // namespace galore
