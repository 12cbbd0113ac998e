#include "train/spike_guard.h"

#include <cmath>
#include <numeric>

namespace galore {

bool SpikeGuard::accept(double loss, double threshold) {
  if (threshold <= 0) return true;
  if (recent.size() == kWindow) {
    const double mean = std::accumulate(recent.begin(), recent.end(), 0.0) / kWindow;
    double variance = 0;
    for (const double value : recent) variance += (value - mean) * (value - mean) / kWindow;
    if (!(loss <= mean + threshold * std::sqrt(variance))) {
      if (++in_a_row < kMostInARow) return false;
      recent.clear();
    }
  }
  in_a_row = 0;
  recent.push_back(loss);
  if (recent.size() > kWindow) recent.erase(recent.begin());
  return true;
}

}  // namespace galore
