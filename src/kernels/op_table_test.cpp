#include "kernels/op_table.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

namespace galore::kernels {
namespace {

int answer_on_cpu(int value) { return value + 1; }
int answer_composed(int value) { return value + 2; }

bool serves_float(const at::Tensor& out) {
  if (out.scalar_type() != at::kFloat) return false;
  out.fill_(1);
  return true;
}
void fill_composed(const at::Tensor& out) { out.fill_(2); }

TEST(OpTable, PicksTheVersionOfTheDevice) {
  const at::Tensor cpu = at::empty({1}), meta = at::empty({1}, at::kMeta);
  const Operation<int(int)> both("test_both", {.cpu = answer_on_cpu, .composed = answer_composed});
  const Operation<int(int)> one("test_one", {.composed = answer_composed});
  EXPECT_EQ(both(cpu, 10), 11);
  EXPECT_EQ(one(cpu, 10), 12);
  EXPECT_EQ(both(meta, 10), 0);
}

TEST(OpTable, FallsBackWhereAKernelDeclines) {
  const Operation<void(const at::Tensor&)> fill(
      "test_fill", {.cpu = or_composed<serves_float, fill_composed>, .composed = fill_composed});
  const at::Tensor single = at::zeros({1}), wide = at::zeros({1}, at::kDouble);
  fill(single, single);
  fill(wide, wide);
  EXPECT_EQ(single.item<float>(), 1);
  EXPECT_EQ(wide.item<double>(), 2);
}

TEST(OpTable, ListsEachOperationOnceWithAVersionForEveryDevice) {
  std::set<std::string> names;
  bool any_cuda = false;
  for (const OperationRow& row : operations()) {
    if (row.name.starts_with("test_")) continue;
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(row.composed) << row.name;
    any_cuda |= row.cuda;
  }
  EXPECT_TRUE(any_cuda);
  for (const char* name :
       {"adamw_direction", "attention", "attention_backward", "rms_norm", "rotate", "swiglu"})
    EXPECT_TRUE(names.contains(name)) << name;
}

}  // namespace
}  // namespace galore::kernels
