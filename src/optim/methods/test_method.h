// A single method, made by the name of its preset, for the tests of methods.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "optim/presets.h"
#include "optim/test_optimizer.h"

namespace galore::testing_method {

using testing_optimizer::decaying;
using testing_optimizer::random;
using testing_optimizer::relative_difference;
using testing_optimizer::same_bits;

inline const std::vector<std::pair<int64_t, int64_t>> kShapes{{24, 16}, {16, 24}, {20, 20}};

// Returns a direction in full space, multiplied by its scale.
inline at::Tensor full(const Direction& direction) {
  const at::Tensor product =
      direction.left.defined() ? direction.scale * direction.left.matmul(direction.right) : at::Tensor();
  if (!direction.dense.defined()) return product;
  return product.defined() ? direction.dense + product : direction.dense.clone();
}

inline at::Tensor polar(const at::Tensor& x) {
  const auto [u, s, vh] = at::linalg_svd(x, false);
  return u.matmul(vh);
}

struct OneMethod {
  OneMethod(const std::string& optim, const std::string& args, int64_t m, int64_t n, bool targeted = true)
      : settings(resolve_optimizer(optim, args)),
        method(make_method(settings, {.name = "weight", .shape = {m, n}, .targeted = targeted}, workspace)) {}

  Direction direction(const at::Tensor& gradient, int64_t step, bool refresh) {
    return method->direction(gradient.clone(),
                             {step, refresh, RandomStream(1, "refresh", "w", step), &notices});
  }
  at::Tensor full(const at::Tensor& gradient, int64_t step, bool refresh) {
    return testing_method::full(direction(gradient, step, refresh));
  }

  Ledger ledger{at::kCPU};
  Workspace workspace{ledger};
  OptimizerSettings settings;
  std::unique_ptr<Method> method;
  std::vector<std::string> notices;
};

}  // namespace galore::testing_method
