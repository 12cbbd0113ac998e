// Compares LDAdam with simpler methods where they must agree. tests/vectors/family compares its formulas with
// plain scripts.
#include "optim/methods/ldadam.h"

#include <ATen/ATen.h>

#include "optim/methods/test_method.h"

namespace galore {
namespace {

using namespace testing_method;

// A whole basis loses nothing, so no error is fed back, and Adam works in axes that rotate with the basis.
// The first update is Adam's sign in the first basis, as in GaLore.
TEST(LdAdam, OfAWholeBasisFeedsNothingBack) {
  OneMethod ldadam("ldadam_adamw", "rank=99", 16, 24);
  struct Error : StateVisitor {
    void tensor(const std::string& name, at::Tensor& tensor) override {
      if (name == "error") value = tensor;
    }
    void scalar(const std::string&, int64_t&) override {}
    void scalar(const std::string&, double&) override {}
    at::Tensor value;
  } error;
  ldadam.method->visit(error);
  for (int t = 1; t <= 5; ++t) {
    const at::Tensor g = random({16, 24}, static_cast<uint64_t>(t));
    ldadam.full(g, t, false);
    EXPECT_LE(error.value.norm().item<double>() / g.norm().item<double>(), 1e-4)
        << t;  // fp32, times b1 / (1 - b1)
  }
}

// The part of a gradient outside the subspace is kept in the error. With a constant gradient of rank two and
// a subspace of rank one, both directions are used alternately.
TEST(LdAdam, TakesUpWhatWasLeft) {
  const at::Tensor u = std::get<0>(at::linalg_qr(random({16, 2}, 1)));
  const at::Tensor v = std::get<0>(at::linalg_qr(random({24, 2}, 2)));
  const at::Tensor g = (u * at::tensor({1.0f, 0.5f})).mm(v.t());
  OneMethod ldadam("ldadam_adamw", "rank=1", 16, 24);
  at::Tensor sum = at::zeros({16, 24});
  for (int t = 1; t <= 200; ++t) sum += ldadam.full(g, t, false);
  const at::Tensor core = u.t().mm(sum).mm(v);
  EXPECT_GT(core[0][0].item<float>(), 0);
  EXPECT_GT(core[1][1].item<float>(), 0.1f * core[0][0].item<float>());
}

TEST(LdAdam, ProjectsSquaresFromTheLeft) {
  const auto moments = [](int64_t m, int64_t n) {
    OneMethod ldadam("ldadam_adamw", "rank=4", m, n);
    return ldadam.ledger.bytes(Owner::bases) / 16;
  };
  EXPECT_EQ(moments(20, 20), 20);
  EXPECT_EQ(moments(24, 16), 16);
  EXPECT_EQ(moments(16, 24), 16);
  OneMethod square("ldadam_adamw", "rank=1", 20, 20);
  const Direction direction = square.direction(random({20, 20}, 1), 1, false);
  // The left factor is the basis, a unit vector.
  EXPECT_NEAR(direction.left.norm().item<double>(), 1, 1e-5);
}

// The basis of the left side has as many rows as the weight, and that of the right side as many as the weight
// has columns. A square weight shows which side reverse_std takes by the direction's factor with r columns.
TEST(LdAdam, TakesTheSideOfProjType) {
  const auto basis_rows = [](const std::string& proj_type, int64_t m, int64_t n) {
    OneMethod ldadam("ldadam_adamw", "rank=4,proj_type=" + proj_type, m, n);
    return ldadam.ledger.bytes(Owner::bases) / 16;
  };
  EXPECT_EQ(basis_rows("std", 24, 16), 16);
  EXPECT_EQ(basis_rows("reverse_std", 24, 16), 24);
  EXPECT_EQ(basis_rows("reverse_std", 16, 24), 24);
  EXPECT_EQ(basis_rows("left", 24, 16), 24);
  EXPECT_EQ(basis_rows("right", 16, 24), 24);
  OneMethod square("ldadam_adamw", "rank=1,proj_type=reverse_std", 20, 20);
  const Direction direction = square.direction(random({20, 20}, 1), 1, false);
  EXPECT_NEAR(direction.right.norm().item<double>(), 1, 1e-5);
}

// The left side of G^T is the right side of G, so both give the same updates, up to the order of sums.
TEST(LdAdam, MirrorsItsSides) {
  OneMethod left("ldadam_adamw", "rank=4,proj_type=left", 24, 16);
  OneMethod right("ldadam_adamw", "rank=4,proj_type=right", 16, 24);
  for (int t = 1; t <= 3; ++t) {
    const at::Tensor g = random({24, 16}, static_cast<uint64_t>(t));
    const at::Tensor of_left = left.full(g.clone(), t, false);
    const at::Tensor of_right = right.full(g.t().contiguous(), t, false);
    EXPECT_LE((of_left - of_right.t()).norm().item<double>(), 1e-3 * of_left.norm().item<double>()) << t;
  }
}

TEST(LdAdam, OfAZeroGradientIsZero) {
  OneMethod ldadam("ldadam_adamw", "rank=4", 24, 16);
  EXPECT_TRUE(at::equal(ldadam.full(at::zeros({24, 16}), 1, false), at::zeros({24, 16})));
  EXPECT_EQ(ldadam.notices.size(), 1u);
  for (int t = 2; t <= 3; ++t)
    EXPECT_TRUE(ldadam.full(random({24, 16}, 1), t, false).isfinite().all().item<bool>());
  EXPECT_TRUE(ldadam.full(at::zeros({24, 16}), 4, false).isfinite().all().item<bool>());
}

}  // namespace
}  // namespace galore
