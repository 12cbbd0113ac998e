#include "kernels/op_table.h"

#include <algorithm>

namespace galore::kernels {
namespace {

// Filled before main() by the constructors of the operations.
std::vector<OperationRow>& operation_rows() {
  static std::vector<OperationRow> rows;
  return rows;
}

}  // namespace

void add_operation(const OperationRow& row) { operation_rows().push_back(row); }

std::vector<OperationRow> operations() {
  std::vector<OperationRow> rows = operation_rows();
  std::sort(rows.begin(), rows.end(),
            [](const OperationRow& a, const OperationRow& b) { return a.name < b.name; });
  return rows;
}

}  // namespace galore::kernels
