#include "train/memory_libraries.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

#include "core/memory.h"
#include "kernels/matmul.h"
#include "kernels/serial_lapack.h"

namespace galore {
namespace {

// For pages of the program and of libtorch that only a whole update brings in, and for gaps in malloc's heap:
// they depend on the libraries' files and not on the processor. Runs of 60m took 6 to 20 MiB.
constexpr int64_t kReserve = int64_t{32} << 20;
// The number of primitives that oneDNN keeps unless ONEDNN_PRIMITIVE_CACHE_CAPACITY says otherwise.
constexpr int64_t kMostKeptProducts = 1024;

at::Tensor sample(at::IntArrayRef shape, at::ScalarType dtype) {
  return at::arange(c10::multiply_integers(shape), at::kFloat).cos_().view(shape).to(dtype);
}

// The three products of a linear layer.
constexpr int64_t kProductsOfLayer = 3;
void compute_products(int64_t tokens, int64_t inputs, int64_t outputs, at::ScalarType dtype) {
  const at::Tensor x = sample({tokens, inputs}, dtype), dy = sample({tokens, outputs}, dtype),
                   weight = sample({outputs, inputs}, dtype);
  matrix_product(at::empty_like(dy), x, weight.t(), Write::replace);
  matrix_product(at::empty_like(x), dy, weight, Write::replace);
  matrix_product(at::empty_like(weight), dy.t(), x, Write::replace);
}

// Large enough for all threads and for packing buffers of full size, which libraries choose for the caches.
void compute_large_products() { compute_products(256, 1024, 1024, at::kFloat); }

void compute_narrow_products() { compute_products(64, 512, 512, at::kBFloat16); }

// Each of another shape than all others here, and above the size from which oneDNN computes.
constexpr int64_t kShapes = 4;
void compute_many_shapes(at::ScalarType dtype) {
  for (int64_t i = 1; i <= kShapes; ++i) compute_products(128, 128, 128 + 16 * i, dtype);
}

// Those by which bases are found.
void compute_decompositions() {
  constexpr int64_t kRows = 256, kRank = 128;
  const SerialLapack serial(kRows);
  const at::Tensor matrix = sample({kRows, kRank}, at::kFloat), wide = matrix.to(at::kDouble);
  at::Tensor gram = wide.t().matmul(wide);
  gram.diagonal().add_(1.0);
  const auto [factor, failed] = at::linalg_cholesky_ex(gram, /*upper=*/true);
  at::linalg_solve_triangular(factor, gram, /*upper=*/true);
  at::linalg_eigh(gram);
  at::linalg_svd(matrix, /*full_matrices=*/false);
}

enum Part { large_products, narrow_products, decompositions, shapes_fp32, shapes_bf16, kNumParts };

class Measurements {
 public:
  int64_t total(const LibraryUse& use) {
    const std::lock_guard lock(mutex_);
    const bool narrow = use.compute_dtype == at::kBFloat16;
    // Every run computes some products in fp32. They come first: the pages that all parts share count there.
    int64_t bytes = kReserve + growth(large_products, compute_large_products);
    if (narrow) bytes += growth(narrow_products, compute_narrow_products);
    if (use.computes_bases) bytes += growth(decompositions, compute_decompositions);
    const int64_t shapes = growth(narrow ? shapes_bf16 : shapes_fp32,
                                  [&] { compute_many_shapes(narrow ? at::kBFloat16 : at::kFloat); });
    return bytes + shapes * std::min(use.products, kMostKeptProducts) / (kShapes * kProductsOfLayer);
  }
  int64_t so_far() const {
    const std::lock_guard lock(mutex_);
    int64_t sum = 0;
    for (const auto& known : growth_) sum += known.value_or(0);
    return sum;
  }

 private:
  template <typename Compute>
  int64_t growth(Part part, const Compute& compute) {
    std::optional<int64_t>& known = growth_[part];
    if (known) return *known;
    return_freed_memory();
    const int64_t before = resident_bytes();
    compute();
    return_freed_memory();
    known = std::max<int64_t>(0, resident_bytes() - before);
    return *known;
  }

  mutable std::mutex mutex_;
  std::array<std::optional<int64_t>, kNumParts> growth_;
};

Measurements& measurements() {
  static Measurements all;
  return all;
}

}  // namespace

int64_t library_bytes(const LibraryUse& use) { return measurements().total(use); }

int64_t measured_library_bytes() { return measurements().so_far(); }

}  // namespace galore
