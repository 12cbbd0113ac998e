// AdaRankGrad: Adaptive Gradient-Rank and Moments for Memory-Efficient LLMs Training and Fine-Tuning.
// Refael, Svirsky, Shustin, Huleihel, Lindenbaum; ICLR 2025; arXiv 2410.17881, Algorithm 1.
//
//   symbol   name in code      default   where the default comes from
//   r_max    max_rank          0         ours; 0: `rank`
//   r_min    min_rank          1         ours
//   eta_th   energy            0.04      0.2 of the unsquared norm, in a published projector
//   T        update_proj_gap   200       GaLore; used when inner_criterion = 0
//   c        inner_criterion   0         ours; the paper's thresholds are not published; 0: every T updates
//            min_gap, max_gap  50, 200   ours; the bounds of the gap when c is above 0
//   alpha    scale             0.25      GaLore
//
// The method is GaLore over Adam. At a refresh, with the new directions b_1, b_2, ... of G:
// 1. The rank becomes the smallest k with |G|^2 - |G b_1|^2 - ... - |G b_k|^2 <= energy |G|^2, within
//    min_rank and max_rank.
// 2. With C = B_old^T B_new, M becomes M C, and V becomes V (C squared elementwise). The count of updates
//    goes on.
//
// A refresh is due every T updates. With c > 0 it is due when max_gap updates have passed since the last one,
// or when at least min_gap have passed and the last update had |R| <= c times |R| at the refresh, because the
// basis then holds little of the gradient.
//
// State for an m x n weight, m <= n, at rank r: the basis, m r, and two moments, 2 n r. The state falls and
// rises with r.
//
// Departures from the paper:
// - V is rotated by the squares of C, as for independent coordinates. V C can be negative, and the authors'
//   treatment of this case is not known.
// - The rank may rise again, up to max_rank, so that one noisy gradient does not decide for good.
// - proj_type=full and subspace=random or dct keep their rank.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct AdaRankGradOptions {
  int64_t min_rank = 1, max_rank = 0;
  double energy = 0.04, inner_criterion = 0, scale = 0.25;
  int64_t min_gap = 50, max_gap = 200;
};
void declare_options(OptionTable& table, AdaRankGradOptions& options);

std::unique_ptr<Method> make_adarankgrad(const AdaRankGradOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> adarankgrad_kind(const AdaRankGradOptions& options = {});

}  // namespace galore
