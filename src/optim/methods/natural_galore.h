// Natural GaLore: Accelerating GaLore for memory-efficient LLM Training and Fine-tuning.
// Das; 2024; arXiv 2410.16029.
//
//   symbol   name in code   default   where the default comes from
//   alpha    scale          0.25      as GaLore
//   s        history        20        ours: the paper keeps "a few"
//   lambda   damping        1e-3      ours: the paper gives none
//
//   R = P^T G (or G P);  H: the last s low-rank gradients, including this one, as columns
//   R~ = (H H^T + lambda I)^-1 R, an inverse of their empirical Fisher matrix
//   direction = alpha P N, where N is Adam's direction of R~
//
// R is the last column of H, so R~ = H y with (H^T H + lambda I) y = e. This is an s x s system, and it
// avoids the difference of large numbers in Woodbury's form.
//
// State: GaLore's, s n r for H, and a count.
//
// Departures: none are known. History and moments keep their coordinates at a refresh, as GaLore's moments do
// (moment_transport rotates only the moments).
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct NaturalGaLoreOptions {
  double scale = 0.25;
  int64_t history = 20;
  double damping = 1e-3;
};
void declare_options(OptionTable& table, NaturalGaLoreOptions& options);

std::unique_ptr<Method> make_natural_galore(const NaturalGaLoreOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> natural_galore_kind(const NaturalGaLoreOptions& options = {});

}  // namespace galore
