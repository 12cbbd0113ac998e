// The label of a position whose prediction is not counted, as in transformers and PyTorch.
#pragma once

#include <cstdint>

namespace galore {

inline constexpr int64_t kIgnoredLabel = -100;

}  // namespace galore
