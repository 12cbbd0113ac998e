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

// NF4 has an fp32 scale for 256 groups, and an offset.
constexpr int64_t kGroupsPerScale = 256;
int64_t num_scales(const GroupFormat& format, int64_t groups) {
  return format.normal_float ? (groups + kGroupsPerScale - 1) / kGroupsPerScale : groups;
}

}  // namespace

GroupQuantized zero_group_codes(const GroupFormat& format, at::IntArrayRef shape, Owner owner,
                                Ledger& ledger) {
  GALORE_ASSERT(format.bits == 8 || format.bits == 4);
  GALORE_ASSERT(!format.normal_float || format.bits == 4);
  GALORE_ASSERT(format.group_size > 0 && format.group_size % 2 == 0);
  const int64_t count = c10::multiply_integers(shape), groups = num_groups(format, count);
  const std::vector<int64_t> flat{num_bytes(format, count)};
  GroupQuantized codes{ledger.zeros(owner, format.bits == 8 ? shape : at::IntArrayRef(flat), at::kByte),
                       ledger.zeros(owner, {num_scales(format, groups)}, at::kFloat),
                       ledger.zeros(owner, {groups}, at::kByte), shape.vec(), format};
  if (format.normal_float) codes.offset = ledger.zeros(owner, {1}, at::kFloat);
  return codes;
}

int64_t group_code_bytes(const GroupFormat& format, int64_t count) {
  const int64_t groups = num_groups(format, count);
  return num_bytes(format, count) + groups + 4 * num_scales(format, groups) + (format.normal_float ? 4 : 0);
}

}  // namespace galore
