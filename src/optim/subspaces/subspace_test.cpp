#include "optim/subspaces/subspace.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/errors.h"
#include "kernels/group_quantize.h"
#include "optim/subspaces/test_subspace.h"

namespace galore {
namespace {

using testing_optimizer::decaying;
using testing_optimizer::kStream;
using testing_optimizer::OwnedSubspace;
using testing_optimizer::random;
using testing_optimizer::same_bits;
using testing_optimizer::subspace_options;

const std::vector<std::string> kProjTypes{"std", "reverse_std", "left", "right", "full"};
const std::vector<std::pair<int64_t, int64_t>> kMatrices{{24, 16}, {16, 24}, {20, 20}};

TEST(Sides, AreThoseOfThePublishedCode) {
  const auto expect = [](const char* type, Side tall, Side wide, Side square) {
    EXPECT_EQ(side_of(type, 5, 3), tall) << type;
    EXPECT_EQ(side_of(type, 3, 5), wide) << type;
    EXPECT_EQ(side_of(type, 4, 4), square) << type;
  };
  expect("std", Side::right, Side::left, Side::right);
  expect("reverse_std", Side::left, Side::right, Side::left);
  expect("right", Side::right, Side::right, Side::right);
  expect("left", Side::left, Side::left, Side::left);
  expect("full", Side::both, Side::both, Side::both);
}

// Compares projection and lift with their formulas for every type and shape. The tolerance is fp32 rounding
// of sums of 24 terms.
TEST(Subspace, ProjectsAndLiftsByItsBases) {
  for (const std::string& type : kProjTypes) {
    for (const auto& [m, n] : kMatrices) {
      OwnedSubspace owned(subspace_options(type, 6), m, n);
      Subspace& s = owned.subspace;
      const at::Tensor g = random({m, n}, 1);
      EXPECT_EQ(s.refresh(g, kStream), "");
      at::Tensor expected = g;
      if (s.side() != Side::right) expected = s.left().t().matmul(expected);
      if (s.side() != Side::left) expected = expected.matmul(s.right());
      const at::Tensor low_rank = s.project(g).clone();
      EXPECT_EQ(low_rank.sizes(), at::IntArrayRef(s.low_rank_shape()));
      EXPECT_TRUE(low_rank.allclose(expected, 0, 1e-5)) << type;
      const Direction lifted = s.lift(low_rank, 0.25);
      EXPECT_EQ(lifted.scale, 0.25);
      at::Tensor back = low_rank;
      if (s.side() != Side::right) back = s.left().matmul(back);
      if (s.side() != Side::left) back = back.matmul(s.right().t());
      EXPECT_TRUE(lifted.left.matmul(lifted.right).allclose(back, 0, 1e-5)) << type;
      EXPECT_FALSE(lifted.dense.defined());
      // It is a projection. The bases are orthonormal up to some roundings, and numbers as large as 9 cancel.
      EXPECT_TRUE(s.project(back).allclose(low_rank, 0, 5e-5)) << type;
    }
  }
}

TEST(Subspace, HoldsTheLeadingSingularVectors) {
  for (const std::string& type : kProjTypes) {
    for (const std::string finder : {"svd", "randomized"}) {
      OwnedSubspace owned(subspace_options(type, 4, finder), 24, 16);
      const at::Tensor g = decaying({24, 16}, 2);
      EXPECT_EQ(owned.subspace.refresh(g, kStream), "");
      const at::Tensor values = std::get<1>(at::linalg_svd(g, false)).narrow(0, 0, 4);
      const double energy = owned.subspace.project(g).square().sum().item<double>();
      // The subspace holds all of the energy of the four largest values; the randomized basis holds nearly
      // all of it.
      EXPECT_NEAR(energy / values.square().sum().item<double>(), 1, finder == "svd" ? 1e-5 : 1e-3) << type;
    }
  }
}

TEST(Subspace, LowersARankAboveTheShorterSide) {
  for (const std::string& type : kProjTypes) {
    for (const auto& [m, n] : kMatrices) {
      OwnedSubspace owned(subspace_options(type, 1000), m, n);
      EXPECT_EQ(owned.subspace.rank(), std::min(m, n));
      const at::Tensor g = random({m, n}, 1);
      EXPECT_EQ(owned.subspace.refresh(g, kStream), "");
      const Direction lifted = owned.subspace.lift(owned.subspace.project(g), 1);
      // A basis of the whole shorter side loses nothing; this includes reverse_std of a square matrix.
      const bool shorter = type == "std" || m == n || type == "full";
      if (shorter) {
        EXPECT_TRUE(lifted.left.matmul(lifted.right).allclose(g, 0, 1e-5)) << type;
      }
    }
  }
}

TEST(Subspace, StoresItsBasesInTheirFormat) {
  for (const std::string dtype : {"float32", "bfloat16"}) {
    const int64_t bytes = dtype == "float32" ? 4 : 2;
    SubspaceOptions options = subspace_options("std", 6);
    options.basis_dtype = dtype;
    EXPECT_EQ(OwnedSubspace(options, 24, 16).ledger.bytes(Owner::bases), bytes * 16 * 6);
    EXPECT_EQ(OwnedSubspace(options, 16, 24).ledger.bytes(Owner::bases), bytes * 16 * 6);
    options.proj_type = "reverse_std";
    EXPECT_EQ(OwnedSubspace(options, 24, 16).ledger.bytes(Owner::bases), bytes * 24 * 6);
    options.proj_type = "full";
    OwnedSubspace owned(options, 24, 16);
    EXPECT_EQ(owned.ledger.bytes(Owner::bases), bytes * (24 + 16) * 6);
    EXPECT_EQ(owned.ledger.total(), owned.ledger.bytes(Owner::bases));
  }
}

// A group lies along a vector of a right basis and across the vectors of a left one. 8 bits take twice as
// many bytes as 4.
TEST(Subspace, KeepsItsBasesInCodes) {
  for (const std::string type : {"right", "left"}) {
    for (const std::string dtype : {"int8", "int4"}) {
      SubspaceOptions options = subspace_options(type, 6);
      OwnedSubspace exact(options, 40, 40);
      options.basis_dtype = dtype;
      options.proj_group_size = 32;
      OwnedSubspace coded(options, 40, 40);
      const GroupFormat format{dtype == "int8" ? 8 : 4, 32};
      EXPECT_EQ(coded.ledger.bytes(Owner::bases), group_code_bytes(format, 240));
      EXPECT_EQ(group_code_bytes(format, 240), (dtype == "int8" ? 240 : 120) + 5 * 8);
      const at::Tensor g = random({40, 40}, 1);
      exact.subspace.refresh(g, kStream);
      coded.subspace.refresh(g, kStream);
      const bool right = type == "right";
      const at::Tensor basis = right ? exact.subspace.right().t().contiguous() : exact.subspace.left();
      const GroupQuantized codes = zero_group_codes(format, basis.sizes(), Owner::bases, exact.ledger);
      kernels::encode_groups(basis, codes, nullptr);
      const at::Tensor expected = at::empty(basis.sizes());
      kernels::decode_groups(codes, expected);
      const at::Tensor given = right ? coded.subspace.right().t() : coded.subspace.left();
      EXPECT_TRUE(given.equal(expected)) << type << dtype;
      const at::Tensor low_rank = right ? g.mm(expected.t()) : expected.t().mm(g);
      EXPECT_TRUE(coded.subspace.project(g).allclose(low_rank, 1e-6, 1e-6));
      const Direction lifted = coded.subspace.lift(low_rank, 1);
      EXPECT_TRUE(lifted.left.mm(lifted.right)
                      .allclose(right ? low_rank.mm(expected) : expected.mm(low_rank), 1e-5, 1e-5));
      // A gradient that determines nothing leaves the codes unchanged; they are not encoded again.
      coded.subspace.refresh(at::zeros({40, 40}), kStream);
      EXPECT_TRUE((right ? coded.subspace.right().t() : coded.subspace.left()).equal(expected));
    }
  }
}

TEST(Subspace, RefusesGroupsOfAnOddSize) {
  SubspaceOptions options = subspace_options("std", 6);
  options.basis_dtype = "int4";
  options.proj_group_size = 33;
  EXPECT_THROW(OwnedSubspace(options, 24, 16), UsageError);
}

TEST(Subspace, RoundsANarrowBasisOnlyWhereItIsStored) {
  SubspaceOptions options = subspace_options("right", 6);
  OwnedSubspace exact(options, 24, 16);
  options.basis_dtype = "bfloat16";
  OwnedSubspace narrow(options, 24, 16);
  const at::Tensor g = random({24, 16}, 1);
  exact.subspace.refresh(g, kStream);
  narrow.subspace.refresh(g, kStream);
  const at::Tensor rounded = exact.subspace.right().to(at::kBFloat16).to(at::kFloat);
  EXPECT_TRUE(same_bits(narrow.subspace.right(), rounded));
  EXPECT_TRUE(same_bits(narrow.subspace.project(g), g.mm(rounded)));
}

// Without aligned signs an SVD may reverse v, and a product would then give -0.1 v.
TEST(Subspace, GivesNewVectorsTheSignOfTheOldOnes) {
  for (const std::string finder : {"svd", "randomized"}) {
    for (const std::string& type : kProjTypes) {
      OwnedSubspace owned(subspace_options(type, 4, finder), 24, 16);
      Subspace& s = owned.subspace;
      const at::Tensor g = decaying({24, 16}, 3);
      s.refresh(g, kStream);
      const at::Tensor left = s.side() == Side::right ? at::Tensor() : s.left().clone();
      const at::Tensor right = s.side() == Side::left ? at::Tensor() : s.right().clone();
      for (const at::Tensor& basis : {left, right}) {
        if (!basis.defined()) continue;
        const at::Tensor largest = basis.gather(0, basis.abs().argmax(0, true));
        EXPECT_GT(largest.min().item<float>(), 0) << "the first basis: its largest entries are positive";
      }
      for (const double factor : {-1.0, 3.0, -0.5}) {
        EXPECT_EQ(s.refresh(g * factor, kStream), "");
        // The directions are the same; 1e-3 bounds the rotation by another randomized start.
        if (left.defined()) {
          EXPECT_TRUE(s.left().allclose(left, 0, 1e-3)) << type << finder;
        }
        if (right.defined()) {
          EXPECT_TRUE(s.right().allclose(right, 0, 1e-3)) << type << finder;
        }
      }
    }
  }
}

TEST(Subspace, KeepsTheSignsOfLapackWhenAsked) {
  SubspaceOptions options = subspace_options("right", 4);
  options.signs = "lapack";
  OwnedSubspace owned(options, 24, 16);
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const at::Tensor g = random({24, 16}, seed);
    owned.subspace.refresh(g, kStream);
    const at::Tensor expected = std::get<2>(at::linalg_svd(g, false)).narrow(0, 0, 4).t();
    EXPECT_TRUE(same_bits(owned.subspace.right(), expected));
  }
}

}  // namespace
}  // namespace galore
