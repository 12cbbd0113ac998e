// Finds losses that stand out from the recent ones, before their update is applied.
#pragma once

#include <cstdint>
#include <vector>

namespace galore {

// The state that a run remembers and a checkpoint saves.
struct SpikeGuard {
  std::vector<double> recent;  // accepted losses, at most kWindow
  int64_t in_a_row = 0;        // rejected losses since the last accepted one

  static constexpr size_t kWindow = 50;  // number of known losses from which on a loss is judged
  // after so many rejections the level has changed, and the window starts again
  static constexpr int64_t kMostInARow = 10;

  // Returns false when `loss` is more than `threshold` standard deviations above the mean of the recent
  // losses. A threshold of 0 accepts every loss.
  bool accept(double loss, double threshold);
};

}  // namespace galore
