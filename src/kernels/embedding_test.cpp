#include "kernels/embedding.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

TEST(Embedding, TakesRowsAndConverts) {
  const at::Tensor index = at::randint(13, {29}, at::kLong);
  for (const auto from : {at::kFloat, at::kBFloat16}) {
    for (const auto to : {at::kFloat, at::kBFloat16}) {
      const at::Tensor table = random({13, 70}, from, 1);
      const at::Tensor out = at::empty({29, 70}, to), expected = at::empty({29, 70}, to);
      embedding(out, table, index);
      reference::embedding(expected, table, index);
      EXPECT_TRUE(at::equal(out, expected));
    }
  }
}

TEST(Embedding, AddsRowsOfRepeatedIndices) {
  const at::Tensor index = at::randint(5, {200}, at::kLong), rows = random({200, 130}, at::kFloat, 1);
  const at::Tensor table = random({5, 130}, at::kFloat, 2), expected = table.clone();
  add_rows(table, index, rows);
  reference::add_rows(expected, index, rows);
  EXPECT_LT(relative_difference(table, expected), tolerance(at::kFloat));
}

}  // namespace
}  // namespace galore
