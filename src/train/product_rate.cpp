#include "train/product_rate.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "kernels/device.h"
#include "kernels/matmul.h"

namespace galore {

double measure_product_rate(at::ScalarType dtype, at::Device device) {
  constexpr int64_t kRows = 2048, kInner = 1024, kColumns = 1024;
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  const at::Tensor left = at::ones({kRows, kInner}, options), right = at::ones({kInner, kColumns}, options);
  at::Tensor out = at::empty({kRows, kColumns}, options);
  double best = 0, spent = 0;
  for (int i = 0; i < 50 && (i < 3 || spent < 0.15); ++i) {
    const auto start = std::chrono::steady_clock::now();
    matrix_product(out, left, right, Write::replace);
    wait_for(device);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 2.0 * kRows * kInner * kColumns / seconds);
    spent += seconds;
  }
  return best;
}

// The lock is held during the measurement, because two measurements at the same time would each find half of
// the rate.
double product_rate(at::ScalarType dtype, at::Device device) {
  static std::mutex lock;
  static std::map<std::tuple<at::ScalarType, std::string, int>, double> known;
  const std::lock_guard guard(lock);
  const auto [entry, added] = known.emplace(std::tuple(dtype, device.str(), at::get_num_threads()), 0.0);
  if (added) entry->second = measure_product_rate(dtype, device);
  return entry->second;
}

double operations_per_token(const ModelConfig& config, int64_t length) {
  const HeadKind head = config.head.kind;
  const bool predicts_tokens = head == HeadKind::language || head == HeadKind::masked;
  const double matrices = static_cast<double>(config.num_projected_parameters() +
                                              (predicts_tokens ? config.vocab_size * config.hidden_size : 0));
  // Scores and weighted sum are 2 products of length/2 (the mean under a causal mask) by head_dim in each
  // head. The factor of three covers the backward pass, which counts twice.
  const double attention = 6.0 * static_cast<double>(config.num_hidden_layers * config.num_attention_heads *
                                                     config.head_dim * length);
  return 6 * matrices + attention;
}

}  // namespace galore
