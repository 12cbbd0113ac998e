// GWT: Breaking Memory Limits: Gradient Wavelet Transform Enhances LLMs Training.
// Wen, Luo, Wang, Deng, Zou, Yuan, Sun, Li; 2025; arXiv 2501.07237; authors' code zqOuO/GWT.
//
//   symbol   name in code   default   where the default comes from
//   l        level          2         the authors' scripts: levels of the Haar transform along the inputs
//   alpha    scale          0.25      the authors' scripts
//   gamma    limiter        1.01      the authors' code; 0 switches it off
//
// Rows are padded with zeros to a multiple of 2^l. With the approximation A and the details D_k of G:
//   Adam's moments M, V of A;  root = sqrt(V) + epsilon;  N = M / root
//   coefficients N / L, where Fira's limiter (limiters/norm_growth.h) finds L, and D_k / (L root), where root
//       is repeated to D_k's length
//   direction = alpha c inverse transform of the coefficients,  c = sqrt(1 - beta2^t) / (1 - beta1^t)
// All details above one coefficient of A are divided by the same number, so no transform is carried out
// (kernels/block_adam.h).
//
// State: 2 m n / 2^l and one number. Level 0 without limiter is Adam.
//
// Departures: rows are padded with zeros; the authors' wavelet library extends them by its boundary mode.
// Only the Haar wavelet is available.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct GwtOptions {
  int64_t level = 2;
  double scale = 0.25, limiter = 1.01;
};
void declare_options(OptionTable& table, GwtOptions& options);

std::unique_ptr<Method> make_gwt(const GwtOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> gwt_kind(const GwtOptions& options = {});

}  // namespace galore
