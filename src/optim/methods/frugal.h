// FRUGAL: Memory-Efficient Optimization by Reducing State Overhead for Scalable Training.
// Zmushko, Beznosikov, Takac, Horvath; ICML 2025; arXiv 2411.07837, Algorithm 1.
//
//   symbol   name in code      default   where the default comes from
//   rho      rank              128       their density 0.25 at 60m's width, given as a rank
//   T        update_proj_gap   200       paper, section 5
//            sign_scale        1         paper; 0.1 for fine-tuning
//
//   R = P^T G;  direction = P N + sign_scale sign(G - P R),  sign(0) = 0
//
// N is Adam's direction of R. At a refresh the moments become zero and Adam counts from 1 again.
//
// State: GaLore's, and the count.
//
// Departures:
// - With moment_transport=true the moments are rotated into the new basis instead, and the count goes on.
// - A basis of the whole space has no residual. Its rounding errors would become signs of full size.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct FrugalOptions {
  double sign_scale = 1;
};
void declare_options(OptionTable& table, FrugalOptions& options);

std::unique_ptr<Method> make_frugal(const FrugalOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> frugal_kind(const FrugalOptions& options = {});

}  // namespace galore
