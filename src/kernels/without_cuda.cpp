// Replaces src/kernels/cuda in a build without CUDA, in which no tensor can be on such a device.
#include "core/errors.h"
#include "kernels/adamw.h"
#include "kernels/apply_direction.h"
#include "kernels/blockwise_8bit.h"
#include "kernels/device.h"

namespace galore {
namespace {

[[noreturn]] void unreachable() { throw std::logic_error("a CUDA kernel is called in a build without CUDA"); }

}  // namespace

namespace cuda {
bool is_built() { return false; }
}  // namespace cuda

namespace kernels::cuda {

void adamw_direction(const AdamStep&, at::Tensor&, at::Tensor&, at::Tensor&) { unreachable(); }
void adamw_8bit_direction(const AdamStep&, at::Tensor&, Codes8&, Codes8&) { unreachable(); }
void apply_direction(const formulas::UpdateFactors&, const at::Tensor&, at::Tensor&, const RandomStream*) {
  unreachable();
}
void round_into(const at::Tensor&, at::Tensor&, const RandomStream*) { unreachable(); }
double sum_squares(const at::Tensor&, int64_t) { unreachable(); }

}  // namespace kernels::cuda
}  // namespace galore
