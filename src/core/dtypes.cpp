#include "core/dtypes.h"

#include <map>

#include "core/errors.h"
#include "core/options.h"

namespace galore {

at::ScalarType dtype_from_name(const std::string& name) {
  static const std::map<std::string, at::ScalarType> known{
      {"float32", at::kFloat}, {"fp32", at::kFloat},   {"bfloat16", at::kBFloat16},
      {"bf16", at::kBFloat16}, {"float16", at::kHalf}, {"fp16", at::kHalf}};
  const auto found = known.find(canonical_name(name));
  if (found == known.end()) fail_usage("dtype", "expected float32, bfloat16 or float16, given '{}'", name);
  return found->second;
}

std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "float32";
    case at::kBFloat16:
      return "bfloat16";
    case at::kHalf:
      return "float16";
    default:
      return c10::toString(dtype);
  }
}

}  // namespace galore
