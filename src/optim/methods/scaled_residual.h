// Fira's use of the residual, which is the part of the gradient outside the subspace. Each line of the
// residual is scaled by the factor by which the rule enlarges this line inside the subspace. methods/fira.h
// has the formulas and their sources.
//
// The cost in addition to GaLore's is one pass over the gradient for the norms of its lines and one pass that
// scales it. The residual S = k (G - a back(R)) is not formed. With an orthonormal basis its norm follows
// from |G_j - a back(R)_j|^2 = |G_j|^2 - (2 a - a^2) |R_j|^2. Since k scales lines that low-rank tensors
// share with the weight, scale back(N) + k (G - a back(R)) = k G + back(scale N - k a R), which is one
// product. When this difference would lose digits, because the subspace holds nearly all of the gradient or
// is not orthonormal, the residual is formed in the gradient's buffer.
#pragma once

#include <string>

#include "core/options.h"
#include "optim/direction.h"
#include "optim/limiters/norm_growth.h"
#include "optim/methods/line_scaling.h"
#include "optim/update_rules/update_rule.h"

namespace galore {

struct ResidualOptions {
  double scale = 0.25;
  std::string variant = "released";
  double limiter = 1.01;
  std::string scaling = "column";
};
void declare_options(OptionTable& table, ResidualOptions& options);

class ScaledResidual {
 public:
  ScaledResidual(const ResidualOptions& options, Side side, Workspace& workspace);

  // Returns the lifted direction of `rule` for the low-rank gradient plus the scaled residual. Overwrites
  // gradient (m x n) and low_rank, its projection.
  Direction direction(const at::Tensor& gradient, const at::Tensor& low_rank, UpdateRule& rule, int64_t step,
                      Subspace& subspace);
  void visit(StateVisitor& visitor) { limiter_.visit(visitor); }

 private:
  struct Inputs {
    at::Tensor gradient;
    at::Tensor low_rank;
    at::Tensor adapted;  // the rule's direction, with its bias correction
    double correction;   // c, which the released variant removes from N
  };
  bool released() const { return options_.variant == "released"; }
  bool unscaled() const { return options_.scaling == "none"; }
  Direction of_difference(const Inputs& inputs, const at::Tensor& factors, double norm, Subspace& subspace);
  Direction of_residual(const Inputs& inputs, const at::Tensor& factors, Subspace& subspace);
  double limit(const Inputs& inputs, double norm);

  ResidualOptions options_;
  double inside_, outside_;  // The residual is outside (G - inside back(R)).
  Workspace& workspace_;
  LineScaling lines_;
  NormGrowth limiter_;
};

}  // namespace galore
