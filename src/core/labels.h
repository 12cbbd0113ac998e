// The label of a position whose prediction is not counted, as in transformers and PyTorch.
#pragma once

#include <algorithm>
#include <cstdint>

namespace galore {

inline constexpr int64_t kIgnoredLabel = -100;

// Returns how many of a row's first `length` labels count. The first token of a row is never predicted.
template <typename Labels>
int64_t count_labels(const Labels& labels, int64_t length = INT64_MAX) {
  const auto end = std::min<int64_t>(length, std::ssize(labels));
  if (end < 1) return 0;
  return std::count_if(labels.begin() + 1, labels.begin() + end,
                       [](int64_t label) { return label != kIgnoredLabel; });
}

}  // namespace galore
