// Fira's use of the residual, what of the gradient lies outside the subspace: line by line it is given the
// size that the rule would have given it, were it enlarged as the line is enlarged inside. See methods/fira.h
// for the formulas and where they come from.
//
// Cost, beside GaLore's: one pass over the gradient for its lines' norms and one that scales it. The residual
// S = k (G - a back(R)) is not formed. With an orthonormal basis its norm follows from
// |G_j - a back(R)_j|^2 = |G_j|^2 - (2 a - a^2) |R_j|^2, and since k scales lines that low-rank tensors share
// with the weight, scale back(N) + k (G - a back(R)) = k G + back(scale N - k a R): one product. Where that
// difference would lose digits, because the subspace holds nearly all of the gradient or is not orthonormal,
// the residual is formed, in the gradient's place.
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

  // What `rule` makes of the low-rank gradient, lifted, and the residual scaled alike. gradient (m x n) and
  // low_rank, its projection, are overwritten.
  Direction direction(const at::Tensor& gradient, const at::Tensor& low_rank, UpdateRule& rule, int64_t step,
                      Subspace& subspace);
  void visit(StateVisitor& visitor) { limiter_.visit(visitor); }

 private:
  struct Inputs {
    at::Tensor gradient;
    at::Tensor low_rank;
    at::Tensor adapted;  // by the rule, with its bias correction
    double correction;   // c, of which the released variant's N is free
  };
  bool released() const { return options_.variant == "released"; }
  bool unscaled() const { return options_.scaling == "none"; }
  Direction of_difference(const Inputs& inputs, const at::Tensor& factors, double norm, Subspace& subspace);
  Direction of_residual(const Inputs& inputs, const at::Tensor& factors, Subspace& subspace);
  double limit(const Inputs& inputs, double norm);

  ResidualOptions options_;
  double inside_, outside_;  // of the residual: G - inside back(R), and the factor on all of it
  Workspace& workspace_;
  LineScaling lines_;
  NormGrowth limiter_;
};

}  // namespace galore
