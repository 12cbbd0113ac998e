// The places at which an adapter replaces the weight by factors, and the option that chooses them.
#pragma once

#include <string>
#include <vector>

#include "adapters/adapter.h"

namespace galore {

class OptionTable;

// The base of adapters that train the model from scratch with other layers in place of its matrices. All
// parameters are trained.
class FactorPlaces : public Adapter {
 public:
  // `arguments` are those from which the adapter is made.
  FactorPlaces(const char* name, const Json& arguments) : name_(name), arguments_(arguments) {}
  // Takes the matrices inside the layers, or with target_modules those of them that it names.
  bool takes(const Place& place) const override;
  // Refuses a target that names no place of the model.
  void choose_trainable(const ParameterList& parameters,
                        const std::vector<std::string>& places) const override;

  Json choice() const override { return {{"adapter", name_}, {"adapter_args", arguments_}}; }

 protected:
  // Declares target_modules.
  void declare_places(OptionTable& table);

 private:
  const char* name_;
  Json arguments_;
  std::vector<std::string> targets_;  // names or their endings after a dot; empty: all
};

// Returns `rank`, or a UsageError that names the place if the layer has fewer inputs or outputs.
int64_t rank_at(const Place& place, const LinearSize& size, int64_t rank);

}  // namespace galore
