// Compares Fira with simpler methods where they must agree, and tests both ways of computing its residual.
// tests/vectors/family compares the formulas with plain scripts.
#include "optim/methods/fira.h"

#include <ATen/ATen.h>

#include "optim/methods/test_method.h"

namespace galore {
namespace {

using namespace testing_method;

const std::vector<std::string> kVariants{"released", "paper"};
const std::vector<std::string> kScalings{"column", "matrix", "none"};

// The residual is then a rounding error of about 1e-6 of the gradient, and so is the difference of the
// directions.
TEST(Fira, WithAWholeBasisIsGaLore) {
  for (const auto& [m, n] : kShapes) {
    for (const std::string& variant : kVariants) {
      OneMethod fira("fira_adamw", "rank=99,scale=1,subspace=svd,variant=" + variant, m, n);
      OneMethod galore("galore_adamw", "rank=99,scale=1,subspace=svd", m, n);
      for (int t = 1; t <= 5; ++t) {
        const at::Tensor g = random({m, n}, static_cast<uint64_t>(t));
        const at::Tensor expected = galore.full(g, t, t % 3 == 1);
        EXPECT_LE(relative_difference(fira.full(g, t, t % 3 == 1), expected), 1e-5) << variant << t;
      }
    }
  }
}

// With alpha = 1 the variants differ only in the limiter's input.
TEST(Fira, VariantsAgreeWithoutScaleAndLimiter) {
  for (const auto& [m, n] : kShapes) {
    for (const std::string& scaling : kScalings) {
      const std::string args = "rank=4,scale=1,limiter=0,scaling=" + scaling;
      OneMethod released("fira_adamw", args, m, n), paper("fira_adamw", args + ",variant=paper", m, n);
      for (int t = 1; t <= 3; ++t) {
        const at::Tensor g = decaying({m, n}, static_cast<uint64_t>(t));
        EXPECT_TRUE(same_bits(released.full(g, t, t == 1), paper.full(g, t, t == 1)));
      }
    }
  }
}

// Computes Fira without limiter in fp64, in the same basis and from the adapted gradient of a GaLore run.
at::Tensor plain(const at::Tensor& gradient, const at::Tensor& adapted, Subspace& subspace,
                 const ResidualOptions& options) {
  const at::Tensor g = gradient.to(at::kDouble), n = adapted.to(at::kDouble);
  const bool right = subspace.side() == Side::right;
  const at::Tensor p = (right ? subspace.right() : subspace.left()).to(at::kDouble);
  const auto back = [&](const at::Tensor& x) { return right ? x.mm(p.t()) : p.mm(x); };
  const at::Tensor r = right ? g.mm(p) : p.t().mm(g);
  const std::vector<int64_t> over =
      options.scaling == "matrix" ? std::vector<int64_t>{0, 1} : std::vector<int64_t>{right ? 1 : 0};
  const at::Tensor k = options.scaling == "none" ? at::ones({1, 1}, at::kDouble)
                                                 : at::linalg_vector_norm(n, 2, over, true) /
                                                       (at::linalg_vector_norm(r, 2, over, true) + 1e-8);
  if (options.variant == "released") return options.scale * back(n) + k * (g - options.scale * back(r));
  return options.scale * (back(n) + k * (g - back(r)));
}

const std::vector<std::string> kBases{"svd", "random", "orthogonal", "svd,basis_dtype=bfloat16"};

// Returns `gradient` with its part outside the subspace scaled to a thousandth.
at::Tensor nearly_inside(const at::Tensor& gradient, Subspace& subspace) {
  return full(subspace.lift(subspace.project(gradient).clone(), 1)) + 1e-3 * gradient;
}

// Random and narrow bases, and the gradient that is nearly inside the subspace, form the residual; all other
// cases use the difference. The tolerance is 1e-4, because the residual of the last gradient is a difference
// of fp32 numbers a thousand times its size.
TEST(Fira, FollowsItsFormulaEitherWay) {
  for (const std::string& basis : kBases) {
    for (const auto& [m, n] : kShapes) {
      for (const std::string& variant : kVariants) {
        for (const std::string& scaling : kScalings) {
          const std::string common = "rank=4,subspace=" + basis;
          OneMethod fira("fira_adamw", common + ",limiter=0,variant=" + variant + ",scaling=" + scaling, m,
                         n);
          OneMethod galore("galore_adamw", common, m, n);
          Subspace& subspace = *galore.method->subspace();
          for (int t = 1; t <= 4; ++t) {
            at::Tensor g = decaying({m, n}, static_cast<uint64_t>(t));
            if (t == 4) g = nearly_inside(g, subspace);
            const Direction inside = galore.direction(g, t, t == 1);
            const at::Tensor adapted = subspace.side() == Side::right ? inside.left : inside.right;
            const at::Tensor expected = plain(g, adapted, subspace, {0.25, variant, 0, scaling});
            EXPECT_LE(relative_difference(fira.full(g, t, t == 1), expected), 1e-4)
                << basis << variant << scaling << t;
          }
        }
      }
    }
  }
}

// Reads the limited residual off the direction. It uses the paper's variant, in which the limiter sees S
// itself.
TEST(Fira, LimitsTheGrowthOfTheResidual) {
  for (const std::string& basis : kBases) {
    for (const auto& [m, n] : kShapes) {
      OneMethod fira("fira_adamw", "rank=4,scale=1,variant=paper,subspace=" + basis, m, n);
      OneMethod galore("galore_adamw", "rank=4,scale=1,subspace=" + basis, m, n);
      double before = 0;
      for (int t = 1; t <= 6; ++t) {
        at::Tensor g = decaying({m, n}, static_cast<uint64_t>(t)) * (t == 5 ? 100 : 1);
        if (t == 3) g = nearly_inside(g, *galore.method->subspace());
        const at::Tensor inside = galore.full(g, t, t == 1);
        const double norm = (fira.full(g, t, t == 1) - inside).norm().item<double>();
        // The tolerance is 1e-3, because the residual after a gradient nearly inside is read off a direction
        // a thousand times its size.
        // for a random basis P P^T is not a projection, so no gradient is nearly inside
        if (t == 4 && basis != "random") {
          EXPECT_NEAR(norm / before, 1.01, 1e-3) << basis << m;
        } else if (t > 1) {
          EXPECT_LE(norm / before, 1.01 + 1e-3) << basis << m << t;
        }
        before = norm;
      }
    }
  }
}

// When both sides are projected, no line of R is a line of G, so there is one factor.
TEST(Fira, OfFullProjectionsHasOneFactor) {
  const std::string args = "rank=4,proj_type=full,subspace=svd";
  OneMethod column("fira_adamw", args, 24, 16), matrix("fira_adamw", args + ",scaling=matrix", 24, 16);
  for (int t = 1; t <= 3; ++t) {
    const at::Tensor g = decaying({24, 16}, static_cast<uint64_t>(t));
    EXPECT_TRUE(same_bits(column.full(g, t, t == 1), matrix.full(g, t, t == 1)));
  }
}

TEST(Fira, OfAZeroGradientIsZero) {
  for (const std::string& variant : kVariants) {
    OneMethod fira("fira_adamw", "rank=4,variant=" + variant, 24, 16);
    EXPECT_TRUE(at::equal(fira.full(at::zeros({24, 16}), 1, true), at::zeros({24, 16})));
    EXPECT_TRUE(fira.full(random({24, 16}, 1), 2, true).isfinite().all().item<bool>());
    EXPECT_EQ(fira.notices.size(), 1u);
  }
}

}  // namespace
}  // namespace galore
