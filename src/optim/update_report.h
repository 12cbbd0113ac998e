// What an update of the optimizer reports to its caller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace galore {

// A basis that was refreshed in an update.
struct RefreshedBasis {
  std::string parameter;
  int64_t rank = 0;
  std::optional<double> captured_energy;  // Subspace::captured_energy
};

struct UpdateReport {
  // The norm of the mean gradient of this update, before clipping, without weights that rest. Where gradients
  // are formed projected, the part of a projected weight is the norm inside its subspace, and
  // `norm_is_projected` is set.
  double gradient_norm = 0;
  bool norm_is_projected = false;
  double clip_factor = 1;
  int64_t num_refreshed = 0;
  int64_t num_skipped = 0;  // parameters left alone because their gradient was not finite
  double seconds = 0;       // spent in methods and in writing weights, refreshes included
  double refresh_seconds = 0;
  double mean_rank = 0;  // of the weights whose rank is chosen at refreshes; 0 if there are none
  std::vector<RefreshedBasis> refreshed;
  std::vector<std::string> notices;
};

struct Grouping {
  std::vector<bool> projected;  // one value for each parameter
  // One line for the user: how many parameters are projected, and what happens to the others.
  std::string summary;
  std::vector<std::string> unmatched;  // targets that match no matrix
};

}  // namespace galore
