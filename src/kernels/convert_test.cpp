#include "kernels/convert.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

TEST(Convert, RoundsAsTheTensorLibraryDoes) {
  at::Tensor values = random({70003}, at::kFloat, 1) * 1e3;
  values[0] = 1.00390625;  // 1 + 2^-8 is a tie and rounds to even
  values[1] = INFINITY, values[2] = -INFINITY, values[3] = 3.4e38, values[4] = 0, values[5] = 1e-40;
  const at::Tensor narrow = at::empty({70003}, at::kBFloat16), wide = at::empty({70003});
  convert(narrow, values);
  EXPECT_TRUE(at::equal(narrow, values.to(at::kBFloat16)));
  convert(wide, narrow);
  EXPECT_TRUE(at::equal(wide, narrow.to(at::kFloat)));
}

TEST(Convert, NotANumberStays) {
  const at::Tensor values = at::full({9}, NAN), narrow = at::empty({9}, at::kBFloat16);
  convert(narrow, values);
  EXPECT_TRUE(narrow.isnan().all().item<bool>());
}

TEST(Convert, ConvertedReturnsTheTensorItselfWhereItCan) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const at::Tensor values = random({8}, at::kFloat, 1);
  EXPECT_TRUE(converted(values, at::kFloat, workspace, "x").is_same(values));
  EXPECT_EQ(ledger.total(), 0);
  EXPECT_TRUE(at::equal(converted(values, at::kBFloat16, workspace, "x"), values.to(at::kBFloat16)));
  EXPECT_EQ(ledger.bytes(Owner::workspace), 16);
}

}  // namespace
}  // namespace galore
