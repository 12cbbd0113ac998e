// GaLore: Memory-Efficient LLM Training by Gradient Low-Rank Projection.
// Zhao, Zhang, Chen, Wang, Anandkumar, Tian; ICML 2024; arXiv 2403.03507, Algorithms 1 and 2.
//
//   symbol   name in code      default   where the default comes from
//   r        rank              128       the authors' scripts at 60m; 256, 512, 1024 for larger models
//   T        update_proj_gap   200       paper, section 5.1
//   alpha    scale             0.25      paper, section 5.1
//   P, Q     Subspace          std       the authors' code: the shorter side is projected
//   rho      UpdateRule        AdamW     any rule of update_rules/
//
// State for an m x n weight, m <= n: the basis, m r, and the rule's state on r n elements (Adam: 2 n r).
//
// Departures from the authors' code (galore_torch 1.0):
// - Each new basis vector takes the sign that agrees with the old one (`signs=aligned`). LAPACK's signs are
//   arbitrary: 13 to 23 % of them flip at a refresh, and the moments that survive the refresh then point the
//   wrong way. `signs=lapack` gives the authors' numbers.
// - The basis is kept in fp32 by default, whatever the dtype of the weights. The authors keep it in the
//   gradient's dtype (`basis_dtype=bfloat16`).
// - `lift` does not scale; the method applies the scale alpha.
// - A refresh keeps the old basis when the gradient determines none, because it is zero, not finite or of
//   lower rank.
// - With proj_type=full a refresh sets entries of the low-rank gradient to 0 when they are mere rounding
//   errors. Adam with a small epsilon would turn them into directions of full size.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct GaLoreOptions {
  double scale = 0.25;
};
void declare_options(OptionTable& table, GaLoreOptions& options);

std::unique_ptr<Method> make_galore(const GaLoreOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> galore_kind(const GaLoreOptions& options = {});

}  // namespace galore
