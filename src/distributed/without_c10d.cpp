// The engine of a build without c10d (GALORE_DISTRIBUTED=OFF).
#include "core/errors.h"
#include "distributed/group.h"

namespace galore {
namespace {

[[noreturn]] void refuse() {
  fail("distributed", "expected one process: this program was built without c10d (GALORE_DISTRIBUTED=OFF)");
}

}  // namespace

std::unique_ptr<Store> serve_store(StorePlace& /*place*/, double /*timeout*/) { refuse(); }
std::unique_ptr<Store> connect_store(const StorePlace& /*place*/, double /*timeout*/) { refuse(); }
std::unique_ptr<Store> file_store(const std::string& /*path*/, int64_t /*processes*/) { refuse(); }
std::unique_ptr<Store> thread_store() { refuse(); }
std::unique_ptr<Group> make_group(Store& /*store*/, const GroupOptions& /*options*/) { refuse(); }

}  // namespace galore
