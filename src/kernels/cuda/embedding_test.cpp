#include "kernels/embedding.h"

#include <ATen/ATen.h>

#include "kernels/cuda/device_test.h"
#include "kernels/test_tensors.h"

namespace galore {
namespace {

using testing_tensors::random;

// Rows with the same index are summed in the order of the tokens, as on the CPU, so a run can be repeated to
// the bit.
TEST_F(OnCuda, RowsAreAddedInOrder) {
  const at::Tensor index = at::randint(5, {2000}, at::kLong), rows = random({2000, 130}, at::kFloat, 1);
  const at::Tensor table = random({5, 130}, at::kFloat, 2), first = on_cuda(table), second = on_cuda(table);
  add_rows(table, index, rows);
  add_rows(first, on_cuda(index), on_cuda(rows));
  add_rows(second, on_cuda(index), on_cuda(rows));
  EXPECT_TRUE(at::equal(first, second));
  EXPECT_LT(testing_tensors::relative_difference(first.cpu(), table), testing_tensors::tolerance(at::kFloat));
}

}  // namespace
}  // namespace galore
