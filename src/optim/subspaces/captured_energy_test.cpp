// Compares the share of a gradient that a basis captures with its definition.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

#include "optim/gradient_buffer.h"
#include "optim/presets.h"
#include "optim/subspaces/test_subspace.h"

namespace galore {
namespace {

using testing_optimizer::all_kinds;
using testing_optimizer::kStream;
using testing_optimizer::OwnedSubspace;
using testing_optimizer::random;
using testing_optimizer::subspace_options;

// Returns the projection of x onto the span of the columns.
at::Tensor onto(const at::Tensor& columns, const at::Tensor& x) {
  const at::Tensor q = std::get<0>(at::linalg_qr(columns.to(at::kDouble)));
  return q.matmul(q.t().matmul(x));
}

double defined_share(Subspace& subspace, const at::Tensor& gradient) {
  at::Tensor inside = gradient.to(at::kDouble);
  if (subspace.side() != Side::right) inside = onto(subspace.left(), inside);
  if (subspace.side() != Side::left) inside = onto(subspace.right(), inside.t()).t();
  return (inside.square().sum() / gradient.to(at::kDouble).square().sum()).item<double>();
}

double energy_of(Subspace& subspace, const at::Tensor& gradient) {
  subspace.refresh(gradient, kStream);
  subspace.project_refreshed(gradient);
  return subspace.captured_energy().value_or(-1);
}

TEST(CapturedEnergy, IsTheShareInsideTheSpan) {
  for (const std::string& finder : subspace_names())
    for (const char* type : {"std", "reverse_std", "full"})
      for (const auto& [m, n] : {std::pair<int64_t, int64_t>{40, 24}, {24, 40}}) {
        OwnedSubspace owned(subspace_options(type, 6, finder), m, n);
        const at::Tensor gradient = random({m, n}, 1);
        // The tolerance covers fp64 sums of squares of numbers rounded to fp32.
        const double energy = energy_of(owned.subspace, gradient);
        EXPECT_NEAR(energy, defined_share(owned.subspace, gradient), 1e-5)
            << finder << " " << type << " " << m;
      }
}

TEST(CapturedEnergy, IsAllWhereNothingIsLeftOutside) {
  const at::Tensor full = random({40, 24}, 1), low = random({40, 4}, 2).mm(random({4, 24}, 3));
  for (const std::string& finder : subspace_names()) {
    if (finder == "dct") continue;  // its columns depend on the transform, not on the gradient
    OwnedSubspace whole(subspace_options("std", 24, finder), 40, 24);
    EXPECT_NEAR(energy_of(whole.subspace, full), 1, 1e-5) << finder;
    if (finder == "orthogonal" || finder == "random") continue;
    OwnedSubspace leading(subspace_options("std", 4, finder), 40, 24);
    EXPECT_NEAR(energy_of(leading.subspace, low), 1, 1e-5) << finder;
  }
}

// For a gradient without preferred directions, r of n directions hold the share r / n.
TEST(CapturedEnergy, OfARandomBasisIsItsShareOfTheDimensions) {
  for (const char* finder : {"orthogonal", "random"}) {
    OwnedSubspace owned(subspace_options("right", 64, finder), 512, 256);
    EXPECT_NEAR(energy_of(owned.subspace, random({512, 256}, 1)), 0.25, 0.01) << finder;
  }
}

TEST(CapturedEnergy, IsNotKnownOfNothing) {
  OwnedSubspace owned(subspace_options("std", 4, "warm"), 20, 12);
  EXPECT_EQ(energy_of(owned.subspace, at::zeros({20, 12})), -1);
  EXPECT_GT(energy_of(owned.subspace, random({20, 12}, 1)), 0);
  EXPECT_EQ(energy_of(owned.subspace, at::full({20, 12}, std::nan(""))), -1) << "not the one before";
}

// Tests a gradient that is never formed: its norm is estimated unless it was computed for another purpose.
class Factors : public testing::TestWithParam<const char*> {
 protected:
  double share(const std::string& finder, int64_t rank, bool exact) {
    OwnedSubspace owned(subspace_options(GetParam(), rank, finder), 96, 96);
    Parameter parameter{.name = "w", .value = at::zeros({96, 96})};
    parameter.whole_products = true;
    GradientBuffer sink(parameter, owned.workspace, [] {});
    GradientBuffer::Update update;
    update.subspace = &owned.subspace;
    update.exact_norm = exact;
    update.refresh = [&](const GradientOperator& gradient) { owned.subspace.refresh(gradient, kStream); };
    sink.begin(update);
    sink.add_product(output_, input_);
    sink.use_done();
    defined_ = defined_share(owned.subspace, output_.t().mm(input_));
    return owned.subspace.captured_energy().value_or(-1);
  }

  at::Tensor output_ = random({30, 96}, 1), input_ = random({30, 96}, 2);
  double defined_ = 0;
};

TEST_P(Factors, GiveTheShareToAFewParts) {
  for (const char* finder : {"warm", "orthogonal", "random"}) {
    const double exact = share(finder, 8, true);
    EXPECT_NEAR(exact, defined_, 1e-5) << finder;
    const double estimated = share(finder, 8, false);
    EXPECT_NE(estimated, exact) << finder;
    // Some 20 directions of similar size are outside, which gives a relative deviation of sqrt(2 / (16 *
    // 20)).
    EXPECT_NEAR((1 - estimated) * exact / (estimated * (1 - exact)), 1, 0.3) << finder;
  }
  EXPECT_NEAR(share("warm", 30, false), 1, 1e-5) << "30 tokens have no more directions";
  EXPECT_NEAR(share("orthogonal", 96, false), 1, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Sides, Factors, testing::Values("left", "right"));

TEST(CapturedEnergy, IsReportedByEveryMethodThatRefreshes) {
  std::set<std::string> reporting;
  for (const Preset& preset : presets()) {
    OptimizerSettings settings = preset.settings();
    OptionTable table;
    declare_options(table, settings);
    if (!table.find("rank")) continue;
    OptimizerOptions layerwise;
    layerwise.layerwise = true;
    testing_optimizer::TestRun whole(preset.name, "rank=4", all_kinds());
    testing_optimizer::TestRun own(preset.name, "rank=4", all_kinds(), layerwise);
    const auto a = whole.update(1).refreshed, b = own.update(1).refreshed;
    ASSERT_EQ(a.size(), b.size()) << preset.name;
    for (size_t i = 0; i < a.size(); ++i) {
      ASSERT_TRUE(a[i].captured_energy.has_value()) << preset.name;
      EXPECT_GT(*a[i].captured_energy, 0) << preset.name;
      EXPECT_EQ(a[i].captured_energy, b[i].captured_energy) << preset.name;
      EXPECT_EQ(a[i].parameter, b[i].parameter);
      reporting.insert(preset.name);
    }
  }
  for (const char* name : {"galore_adamw", "fira_adamw", "apollo_adamw", "alice", "coap_adamw", "flora",
                           "subtrack_adamw", "frugal_adamw", "sumo"})
    EXPECT_TRUE(reporting.contains(name)) << name;
}

}  // namespace
}  // namespace galore
