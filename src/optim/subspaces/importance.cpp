#include "optim/subspaces/importance.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "kernels/random_normal.h"
#include "optim/subspaces/svd.h"

namespace galore {
namespace {

// Draws `count` places one after another, each with a probability proportional to its value among those left,
// and returns them in rising order. The draw is a race: place k arrives after an exponential time of rate
// value[k] (Efraimidis and Spirakis 2006). Half of the sum of squares of two normal numbers is an exponential
// time of rate 1.
std::vector<int64_t> drawn(const at::Tensor& values, int64_t count, const RandomStream& stream) {
  const int64_t size = values.numel();
  const at::Tensor numbers = at::empty({size, 2}, at::kFloat);
  random_normal(numbers, 1, stream);
  const at::Tensor times = numbers.to(at::kDouble).square_().sum(1) / 2;
  std::vector<double> arrival(static_cast<size_t>(size));
  for (int64_t k = 0; k < size; ++k) {
    const double value = values[k].item<double>();
    arrival[static_cast<size_t>(k)] =
        value > 0 ? times[k].item<double>() / value : std::numeric_limits<double>::infinity();
  }
  std::vector<int64_t> places(static_cast<size_t>(size));
  std::iota(places.begin(), places.end(), 0);
  std::stable_sort(places.begin(), places.end(), [&](int64_t a, int64_t b) {
    return arrival[static_cast<size_t>(a)] < arrival[static_cast<size_t>(b)];
  });
  places.resize(static_cast<size_t>(count));
  std::sort(places.begin(), places.end());
  return places;
}

}  // namespace

std::optional<SingularVectors> find_by_importance(const GradientOperator& gradient,
                                                  const BasisRequest& request) {
  BasisRequest all = request;
  all.rank = std::min(gradient.rows(), gradient.columns());
  auto found = find_by_svd(gradient, all);
  if (!found || gradient.is_meta()) return found;
  const at::Tensor values = found->values.cpu();
  const at::Tensor places = at::tensor(drawn(values, request.rank, request.random), at::kLong);
  found->values = values.index_select(0, places).to(found->values.device());
  const at::Tensor there = places.to(found->left.device());
  found->left = found->left.index_select(1, there);
  found->right = found->right.index_select(1, there);
  return found;
}

}  // namespace galore
