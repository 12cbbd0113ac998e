#include "optim/subspaces/dct_basis.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/errors.h"
#include "kernels/dct.h"

namespace galore {
namespace {

// Their numbers, rising.
std::vector<int32_t> largest(const at::Tensor& sizes, int64_t count) {
  const double* const size = sizes.data_ptr<double>();
  std::vector<int32_t> numbers(static_cast<size_t>(sizes.numel()));
  std::iota(numbers.begin(), numbers.end(), 0);
  std::stable_sort(numbers.begin(), numbers.end(), [&](int32_t a, int32_t b) { return size[a] > size[b]; });
  numbers.resize(static_cast<size_t>(count));
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

DctBasis::DctBasis(const BasisShape& shape, Workspace& workspace)
    : shape_(shape),
      workspace_(workspace),
      columns_(workspace.ledger().zeros(Owner::bases, {shape.rank}, at::kInt)) {
  if (!columns_.is_meta()) columns_.copy_(at::arange(shape.rank, at::kInt));
}

at::Tensor DctBasis::read() {
  const at::Tensor basis = workspace_.get(Owner::workspace, std::string("optimizer.basis.") + shape_.side,
                                          {shape_.rows, shape_.rank}, at::kFloat);
  dct_columns(basis, columns_);
  return basis;
}

void DctBasis::write(const at::Tensor&) { GALORE_ASSERT(!"a basis of cosines is chosen, not written"); }

void DctBasis::visit(const std::string& name, StateVisitor& visitor) {
  visitor.tensor(name + "_columns", columns_);
}

at::Tensor DctBasis::select(const at::Tensor& sizes) {
  const at::Tensor old = columns_.cpu().clone(), next = old.clone();
  std::vector<int32_t> chosen = largest(sizes, shape_.rank);
  const auto is_chosen = [&](int32_t column) {
    return std::binary_search(chosen.begin(), chosen.end(), column);
  };
  const int32_t* const before = old.data_ptr<int32_t>();
  const std::vector<int32_t> known(before, before + shape_.rank);
  std::vector<int32_t> fresh;
  for (const int32_t column : chosen)
    if (std::find(known.begin(), known.end(), column) == known.end()) fresh.push_back(column);
  auto newcomer = fresh.begin();
  for (int64_t place = 0; place < shape_.rank; ++place)
    if (!is_chosen(before[place])) next.data_ptr<int32_t>()[place] = *newcomer++;
  columns_.copy_(next);
  return (old.unsqueeze(1) == next.unsqueeze(0)).to(columns_.device(), at::kFloat);
}

}  // namespace galore
