// The group of GPUs in a build without CUDA.
#include "core/errors.h"
#include "distributed/group.h"

namespace galore {

void* nccl_backend(void* /*store*/, const GroupOptions& /*options*/) {
  fail("distributed", "expected device=cpu: this program was built without CUDA and NCCL");
}

}  // namespace galore
