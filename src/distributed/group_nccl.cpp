// c10d's group over NCCL, in builds with CUDA.
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "distributed/group.h"

namespace galore {

// Waiting for its operations makes the current stream wait, not the processor; later operations on the
// tensors are in order.
void* nccl_backend(void* store, const GroupOptions& options) {
  auto own = c10::intrusive_ptr<c10d::Store>::reclaim_copy(static_cast<c10d::Store*>(store));
  auto prefixed = c10::make_intrusive<c10d::PrefixStore>("nccl", std::move(own));
  auto nccl = c10d::ProcessGroupNCCL::Options::create();
  nccl->timeout = std::chrono::milliseconds(static_cast<int64_t>(options.timeout * 1000));
  c10::intrusive_ptr<c10d::Backend> backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(
      prefixed, static_cast<int>(options.index), static_cast<int>(options.size), nccl);
  return backend.release();
}

}  // namespace galore
