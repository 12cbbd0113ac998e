#include "core/batch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace galore {
namespace {

TEST(Batch, ShiftsLabelsWithinEachRow) {
  const at::Tensor given = at::tensor({0, 1, 2, 3, -100, 5}, at::kLong).view({2, 3});
  const Targets targets = next_token_targets(given);
  EXPECT_TRUE(at::equal(targets.labels.view(-1), at::tensor({1, 2, -100, -100, 5, -100}, at::kLong)));
  EXPECT_EQ(targets.count, 3);
}

}  // namespace
}  // namespace galore
