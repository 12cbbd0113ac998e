// Finds losses that stand out of the recent ones, before their update is applied.
#pragma once

#include <cstdint>
#include <vector>

namespace galore {

// What a run remembers, and a checkpoint keeps.
struct SpikeGuard {
  std::vector<double> recent;  // accepted losses, at most kWindow
  int64_t in_a_row = 0;        // rejected losses since the last accepted one

  static constexpr size_t kWindow = 50;       // a loss is judged when so many are known
  static constexpr int64_t kMostInARow = 10;  // then the level has changed, and the window begins anew

  // False: `loss` is more than `threshold` standard deviations above the mean of the recent ones. A threshold
  // of 0 accepts everything.
  bool accept(double loss, double threshold);
};

}  // namespace galore
