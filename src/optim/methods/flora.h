// Flora: Low-Rank Adapters Are Secretly Gradient Compressors.
// Hao, Cao, Mou; ICML 2024; arXiv 2402.03293, Algorithm 2.
//
//   symbol   name in code      default   where the default comes from
//   r        rank              128       as in all low-rank methods here
//   kappa    update_proj_gap   1000      paper
//   beta     beta1             0.9       paper
//
//   U = G over the root of Adafactor's factored second moment, of full size
//   D = beta back(M) + (1 - beta) U;  M = beta M + (1 - beta) project(U)
//   direction = D / max(1, RMS(D)), Adafactor's clipping
//
// P consists of normal numbers with variance 1 / r. It is never stored and changes every kappa updates; M
// then becomes project_new(back_old(M)).
//
// State: Adafactor's, m + n, and M, n r. Weights that are not targeted use Adafactor without a first moment.
//
// Departures: the authors multiply the learning rate by the weight's root mean square unless told otherwise.
// They change P after updates kappa, 2 kappa, ...; here P changes before updates kappa + 1, 2 kappa + 1, ...
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct FloraOptions {
  double beta1 = 0.9;
};
void declare_options(OptionTable& table, FloraOptions& options);

std::unique_ptr<Method> make_flora(const FloraOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> flora_kind(const FloraOptions& options = {});

}  // namespace galore
