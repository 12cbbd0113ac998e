// LDAdam: Adaptive Optimization from Low-Dimensional Gradient Statistics.
// Robert, Safaryan, Modoranu, Alistarh; ICLR 2025; arXiv 2410.16103, Algorithm 1.
//
//   symbol     name in code   default   where the default comes from
//   r          rank           16        the authors' code
//   rho        rho            0.908     the authors' code, where it does not follow beta1
//   b1, b2     adam_beta1, adam_beta2   0.908, 0.99    the authors' code
//              proj_type      std       the authors' code
//
// With proj_type=std the shorter side is projected, and square weights are projected from the left, as in the
// authors' code. reverse_std takes the other side; left and right take this side of every weight. The
// formulas below are for the left side. s is the number of updates done and P the old basis:
//
//   a = G + e;  b = rho P M / (1 - b1^s) + (1 - rho) a
//   P' = Q of the QR decomposition of b (b^T P); the first P' comes from an SVD of a
//   R = P'^T a;  M and V rotate into P' (update_rules/adamw.cpp): M~, V~
//   e = a - P' R + b1 / (1 - b1) (P M - P' M~)
//   direction = P' N, where N is Adam's direction of R from M~ and V~
//
// b is not formed: b^T P = rho M^T / (1 - b1^s) + (1 - rho) a^T P, and similarly elsewhere; an update takes
// six products of m n r.
//
// State: the basis, m r, Adam's moments, 2 n r, and e, m n, where m is the projected side.
//
// Departures: when b is zero the basis stays. The basis and e are fp32.
#pragma once

#include <string>

#include "optim/methods/method_kind.h"

namespace galore {

struct LdAdamOptions {
  int64_t rank = 16;
  double rho = 0.908;
  std::string proj_type = "std";
};
void declare_options(OptionTable& table, LdAdamOptions& options);

std::unique_ptr<Method> make_ldadam(const LdAdamOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> ldadam_kind(const LdAdamOptions& options = {});

}  // namespace galore
