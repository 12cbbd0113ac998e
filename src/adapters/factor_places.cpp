#include "adapters/factor_places.h"

#include <algorithm>

#include "adapters/module_pattern.h"
#include "core/errors.h"
#include "core/options.h"

namespace galore {

bool FactorPlaces::takes(const Place& place) const {
  if (place.role != Role::matrix) return false;
  return targets_.empty() || is_named_by(place.name, targets_);
}

void FactorPlaces::choose_trainable(const ParameterList&, const std::vector<std::string>& places) const {
  for (const std::string& target : targets_) {
    const auto is_named = [&](const std::string& place) { return is_named_by(place, {target}); };
    if (std::none_of(places.begin(), places.end(), is_named))
      fail_usage("adapter_args",
                 "target_modules: expected matrices of the model's layers, and '{}' names none", target);
  }
}

void FactorPlaces::declare_places(OptionTable& table) {
  table.add("target_modules", &targets_,
            "matrices that are replaced, by names or endings of names; unset: all inside the layers");
}

int64_t rank_at(const Place& place, const LinearSize& size, int64_t rank) {
  const int64_t most = std::min(size.inputs, size.outputs);
  if (rank > most)
    fail_usage("adapter_args", "r: expected at most {} for {} ({} x {}), given {}", most, place.name,
               size.outputs, size.inputs, rank);
  return rank;
}

}  // namespace galore
