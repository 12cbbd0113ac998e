#include "kernels/serial_lapack.h"

// Of the MKL inside libtorch_cpu; weak, because builds for other processors have none. Returns the number
// that held before; 0 stands for the global one.
extern "C" __attribute__((weak)) int MKL_Set_Num_Threads_Local(
    int count);  // NOLINT(readability-identifier-naming)

namespace galore {
namespace {

constexpr int64_t kLargestSerial = 640;  // from here on, threads pay even where they must wait

}  // namespace

SerialLapack::SerialLapack(int64_t rows)
    : active_(&MKL_Set_Num_Threads_Local != nullptr && rows <= kLargestSerial) {
  if (active_) before_ = MKL_Set_Num_Threads_Local(1);
}

SerialLapack::~SerialLapack() {
  if (active_) MKL_Set_Num_Threads_Local(before_);
}

}  // namespace galore
