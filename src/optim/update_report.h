// The report that the optimizer returns to its caller after an update.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace galore {

// A basis that an update has refreshed.
struct RefreshedBasis {
  std::string parameter;
  int64_t rank = 0;
  std::optional<double> captured_energy;  // Subspace::captured_energy
};

struct UpdateReport {
  // The norm of the mean gradient of this update, before clipping and without resting weights. Where
  // gradients are formed projected, a projected weight contributes the norm inside its subspace, and
  // `norm_is_projected` is set.
  double gradient_norm = 0;
  bool norm_is_projected = false;
  double clip_factor = 1;
  int64_t num_refreshed = 0;
  int64_t num_skipped = 0;  // parameters left unchanged because their gradient was not finite
  double seconds = 0;       // time in methods and in writing weights, refreshes included
  double refresh_seconds = 0;
  double mean_rank = 0;  // over weights with rank choice; 0 if there are none
  std::vector<RefreshedBasis> refreshed;
  std::vector<std::string> notices;
};

struct Grouping {
  std::vector<bool> projected;  // one value for each parameter
  // A line for the user about the number of projected parameters and the treatment of the others.
  std::string summary;
  std::vector<std::string> unmatched;  // targets that match no matrix
};

}  // namespace galore
