// Compares GaLore with the methods that it must equal when its subspace is the whole space or a given one.
#include "optim/methods/galore.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "optim/methods/test_method.h"
#include "optim/update_rules/adamw.h"

namespace galore {
namespace {

using namespace testing_method;
using testing_optimizer::StateLoader;

const std::vector<std::string> kTypes{"std", "reverse_std", "left", "right", "full"};

std::string full_rank(const std::string& type, const std::string& more = "") {
  return "rank=99,scale=1,subspace=svd,proj_type=" + type + more;
}

// A whole basis loses nothing, and SGD is linear, including its momentum as long as the basis stays. The
// tolerance is the fp32 rounding of four products of up to 24 terms. The longer side has no whole basis,
// because the rank is at most the shorter side.
TEST(GaLore, WithAWholeBasisAndSgdIsSgd) {
  for (const std::string& type : kTypes) {
    for (const auto& [m, n] : kShapes) {
      const Side side = side_of(type, m, n);
      if ((side != Side::left && n > m) || (side != Side::right && m > n)) continue;
      for (const std::string momentum : {"", ",momentum=0.9"}) {
        OneMethod galore("galore_sgd", full_rank(type, momentum), m, n);
        OneMethod sgd("sgd", momentum.empty() ? "" : "momentum=0.9", m, n);
        for (int t = 1; t <= 4; ++t) {
          const at::Tensor g = random({m, n}, static_cast<uint64_t>(t));
          EXPECT_LE(relative_difference(galore.full(g, t, t == 1), sgd.full(g, t, false)), 2e-6) << type;
        }
      }
    }
  }
}

// Without momentum a refresh does not change the result either.
TEST(GaLore, WithAWholeBasisAndSgdIsSgdAcrossRefreshes) {
  OneMethod galore("galore_sgd", full_rank("std"), 24, 16);
  for (int t = 1; t <= 4; ++t) {
    const at::Tensor g = random({24, 16}, static_cast<uint64_t>(t));
    EXPECT_LE(relative_difference(galore.full(g, t, true), g), 2e-6);
  }
}

// The result is not AdamW itself, which depends on the axes, but AdamW in the axes of the basis.
TEST(GaLore, WithAWholeBasisAndAdamWIsAdamWInTheRotatedAxes) {
  for (const std::string type : {"right", "left", "full"}) {
    const int64_t m = type == "left" ? 16 : 24, n = type == "left" ? 24 : 16;
    OneMethod galore("galore_adamw", full_rank(type), m, n);
    const auto adamw = make_adamw(options_of<AdamWOptions>(*galore.settings.rule), {},
                                  galore.method->subspace()->low_rank_shape(), galore.workspace);
    for (int t = 1; t <= 5; ++t) {
      const at::Tensor g = random({m, n}, static_cast<uint64_t>(t));
      const at::Tensor given = galore.full(g, t, t == 1);
      Subspace& subspace = *galore.method->subspace();
      const at::Tensor p = type == "left" ? at::eye(n) : subspace.right();
      const at::Tensor q = type == "right" ? at::eye(m) : subspace.left();
      at::Tensor rotated = q.t().matmul(g).matmul(p);
      // A refresh leaves rounding errors outside the diagonal, which GaLore sets to zero.
      if (type == "full" && t == 1) rotated = at::diag_embed(rotated.diagonal());
      const at::Tensor expected = q.matmul(adamw->direction(rotated.contiguous(), t)).matmul(p.t());
      // Adam divides by the root of the second moment, so rounding errors (1e-6 of the largest element) in
      // small elements grow by the ratio of largest to smallest. A few of 384 elements are a hundredth of the
      // largest.
      EXPECT_LE(relative_difference(given, expected), 1e-4) << type << t;
    }
  }
}

TEST(GaLore, IsNotAdamWWithAWholeBasis) {
  OneMethod galore("galore_adamw", full_rank("right"), 24, 16), adamw("adamw", "", 24, 16);
  const at::Tensor g = random({24, 16}, 1);
  EXPECT_GT(relative_difference(galore.full(g, 1, true), adamw.full(g, 1, false)), 0.1);
}

// The basis is the identity. Products with it are exact, so every bit equals the base rule's.
TEST(GaLore, WithTheIdentityAsBasisIsItsRule) {
  const std::map<std::string, std::string> rules{{"galore_adamw", ""},
                                                 {"galore_adamw_8bit", ",min_8bit_size=0"},
                                                 {"galore_adafactor", ",beta1=0.9"},
                                                 {"galore_sgd", ",momentum=0.9"}};
  for (const auto& [name, args] : rules) {
    for (const std::string type : {"right", "left", "full"}) {
      OneMethod galore(name, "rank=20,scale=1,proj_type=" + type + args, 20, 20);
      OneMethod rule(name, "rank=20" + args, 20, 20, /*targeted=*/false);
      galore.method->subspace()->refresh(random({20, 20}, 9), RandomStream(1, "refresh"));
      const at::Tensor identity = at::eye(20), yes = at::ones({1}, at::kLong);
      StateLoader loader({{"basis_left", identity}, {"basis_right", identity}, {"basis_established", yes}});
      galore.method->subspace()->visit(loader);
      for (int t = 1; t <= 4; ++t) {
        const at::Tensor g = random({20, 20}, static_cast<uint64_t>(t));
        EXPECT_TRUE(same_bits(galore.full(g, t, false), rule.full(g, t, false))) << name << type << t;
      }
    }
  }
}

TEST(GaLore, ScalesTheLiftedDirectionOnly) {
  OneMethod whole("galore_adamw", "rank=4,scale=1", 24, 16), quarter("galore_adamw", "rank=4", 24, 16);
  for (int t = 1; t <= 3; ++t) {
    const at::Tensor g = random({24, 16}, static_cast<uint64_t>(t));
    const Direction a = whole.direction(g, t, t == 1), b = quarter.direction(g, t, t == 1);
    EXPECT_TRUE(same_bits(a.left, b.left) && same_bits(a.right, b.right));
    EXPECT_EQ(a.scale, 1);
    EXPECT_EQ(b.scale, 0.25);
    EXPECT_FALSE(a.dense.defined());
  }
}

TEST(GaLore, TakesALowRankGradientBetweenRefreshes) {
  for (const std::string& type : kTypes) {
    OneMethod a("galore_adamw", "rank=4,proj_type=" + type, 24, 16);
    OneMethod b("galore_adamw", "rank=4,proj_type=" + type, 24, 16);
    const at::Tensor first = random({24, 16}, 1), second = random({24, 16}, 2);
    a.direction(first, 1, true), b.direction(first, 1, true);
    const at::Tensor low_rank = b.method->subspace()->project(second).clone();
    const Direction expected = a.direction(second, 2, false);
    const Direction given =
        b.method->direction_of_low_rank(low_rank, {2, false, RandomStream(1, "refresh"), nullptr});
    EXPECT_TRUE(same_bits(given.left, expected.left) && same_bits(given.right, expected.right)) << type;
  }
}

// The gradient of a refresh is projected by the new basis, which is made from this gradient.
TEST(GaLore, ProjectsByTheNewBasisAtARefresh) {
  OneMethod galore("galore_sgd", "rank=3,scale=1,subspace=svd", 24, 16);
  for (int t = 1; t <= 3; ++t) {
    const at::Tensor g = decaying({24, 16}, static_cast<uint64_t>(t));
    const auto [u, s, vh] = at::linalg_svd(g, false);
    const at::Tensor best = (u.narrow(1, 0, 3) * s.narrow(0, 0, 3)).matmul(vh.narrow(0, 0, 3));
    EXPECT_LE(relative_difference(galore.full(g, t, true), best), 1e-5) << t;  // fp32 rounding of an SVD
  }
}

TEST(GaLore, KeepsMomentsAcrossARefresh) {
  OneMethod galore("galore_sgd", "rank=4,scale=1,momentum=0.5", 24, 16);
  const at::Tensor g = decaying({24, 16}, 1);
  const at::Tensor once = galore.full(g, 1, true);
  EXPECT_LE(relative_difference(galore.full(g, 2, true), 1.5 * once), 1e-3);  // the bases agree approximately
}

TEST(GaLore, TakesNothingForRoundingOfFullProjections) {
  OneMethod galore("galore_adamw", "rank=8,scale=1,proj_type=full,subspace=svd", 24, 16);
  const at::Tensor direction = galore.full(random({24, 16}, 1), 1, true);
  Subspace& subspace = *galore.method->subspace();
  const at::Tensor inside = subspace.left().t().matmul(direction).matmul(subspace.right());
  // Adam's first step has entries of one on the diagonal; all others are rounding errors.
  EXPECT_TRUE(inside.diagonal().abs().allclose(at::ones({8}), 0, 1e-3));
  EXPECT_LE((inside - at::diag_embed(inside.diagonal())).abs().max().item<double>(), 1e-5);
}

TEST(GaLore, PassesOnWhatARefreshHasToSay) {
  OneMethod galore("galore_adamw", "rank=4", 24, 16);
  galore.direction(at::zeros({24, 16}), 1, true);
  ASSERT_EQ(galore.notices.size(), 1u);
  EXPECT_NE(galore.notices[0].find("zero"), std::string::npos);
  galore.direction(random({24, 16}, 1), 2, true);
  EXPECT_EQ(galore.notices.size(), 1u);
}

}  // namespace
}  // namespace galore
