#include "core/group_quantized.h"

#include "core/errors.h"

namespace galore {
namespace {

int64_t num_groups(const GroupFormat& format, int64_t count) {
  return (count + format.group_size - 1) / format.group_size;
}

int64_t num_bytes(const GroupFormat& format, int64_t count) {
  return format.bits == 8 ? count : (count + 1) / 2;
}

}  // namespace

GroupQuantized zero_group_codes(const GroupFormat& format, at::IntArrayRef shape, Owner owner,
                                Ledger& ledger) {
  GALORE_ASSERT(format.bits == 8 || format.bits == 4);
  GALORE_ASSERT(format.group_size > 0 && format.group_size % 2 == 0);
  const int64_t count = c10::multiply_integers(shape), groups = num_groups(format, count);
  const std::vector<int64_t> flat{num_bytes(format, count)};
  return {ledger.zeros(owner, format.bits == 8 ? shape : at::IntArrayRef(flat), at::kByte),
          ledger.zeros(owner, {groups}, at::kFloat), ledger.zeros(owner, {groups}, at::kByte), shape.vec(),
          format};
}

int64_t group_code_bytes(const GroupFormat& format, int64_t count) {
  return num_bytes(format, count) + 5 * num_groups(format, count);
}

}  // namespace galore
