#include "kernels/serial_lapack.h"

// This function belongs to the MKL inside libtorch_cpu. It is weak, because builds for other processors have
// none. It returns the previous number; 0 stands for the global one.
extern "C" __attribute__((weak)) int MKL_Set_Num_Threads_Local(
    int count);  // NOLINT(readability-identifier-naming)

namespace galore {
namespace {

constexpr int64_t kLargestSerial = 640;  // from here on threads help even when they must wait

}  // namespace

SerialLapack::SerialLapack(int64_t rows)
    : active_(&MKL_Set_Num_Threads_Local != nullptr && rows <= kLargestSerial) {
  if (active_) before_ = MKL_Set_Num_Threads_Local(1);
}

SerialLapack::~SerialLapack() {
  if (active_) MKL_Set_Num_Threads_Local(before_);
}

}  // namespace galore
