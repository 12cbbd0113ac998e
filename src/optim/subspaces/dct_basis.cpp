#include "optim/subspaces/dct_basis.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/dct.h"

namespace galore {
namespace {

// Returns the numbers of the largest entries in rising order.
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

DctColumns::DctColumns(const BasisShape& shape, Workspace& workspace)
    : shape_(shape),
      workspace_(workspace),
      columns_(workspace.ledger().zeros(Owner::bases, {shape.rank}, at::kInt)) {
  if (!columns_.is_meta()) columns_.copy_(at::arange(shape.rank, at::kInt));
}

at::Tensor DctColumns::read() {
  const at::Tensor basis = basis_buffer(shape_, workspace_);
  dct_columns(basis, columns_);
  return basis;
}

void DctColumns::visit(const std::string& name, StateVisitor& visitor) {
  visitor.tensor(name + "_columns", columns_);
}

at::Tensor DctColumns::select(const at::Tensor& sizes) {
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

DctBasis::DctBasis(const BasisInputs& inputs) : Basis(inputs), workspace_(inputs.workspace) {
  if (side_ != Side::right) left_.emplace(BasisShape{inputs.m, rank_, "left"}, workspace_);
  if (side_ != Side::left) right_.emplace(BasisShape{inputs.n, rank_, "right"}, workspace_);
}

// Returns why the old basis is kept, or "".
std::string DctBasis::choose(const GradientOperator& gradient) {
  const at::Tensor whole = gradient.dense();
  if (!gradient.usable()) return "the gradient is not finite: keeps the old basis";
  for (const bool is_left : {true, false}) {
    auto& columns = is_left ? left_ : right_;
    if (!columns) continue;
    const at::Tensor sizes = dct_column_sizes(is_left ? whole.t() : whole, workspace_);
    if (whole.is_meta()) continue;
    const double largest = sizes.max().item<double>();
    if (!std::isfinite(largest)) return "the gradient is not finite: keeps the old basis";
    if (largest == 0) return "the gradient is zero: keeps the old basis";
    const at::Tensor rotation = columns->select(sizes);
    if (transports_ && established()) rotation_ = rotation;
  }
  return "";
}

Basis::Refreshed DctBasis::refresh(const GradientOperator& gradient, const RandomStream&, const at::Tensor&) {
  rotation_.reset();
  const std::string notice = choose(gradient);
  if (notice.empty()) established_ = 1;
  return {notice};
}

void DctBasis::visit(StateVisitor& visitor) {
  visitor.scalar("basis_established", established_);
  if (left_) left_->visit("basis_left", visitor);
  if (right_) right_->visit("basis_right", visitor);
}

}  // namespace galore
