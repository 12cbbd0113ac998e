#include "optim/resized_state.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <string>

#include "optim/presets.h"

namespace galore {
namespace {

// Copies the averages and numbers of a state.
class StateTaker : public StateVisitor {
 public:
  void tensor(const std::string&, at::Tensor&) override {}
  void scalar(const std::string& name, int64_t& value) override { counts[name] = value; }
  void scalar(const std::string& name, double& value) override { numbers[name] = value; }
  bool average(const std::string& name, StoredAverage& average) override {
    averages[name] = average.read().clone();
    return true;
  }

  std::map<std::string, int64_t> counts;
  std::map<std::string, double> numbers;
  std::map<std::string, at::Tensor> averages;
};

// Gives a copy to a state of other sizes.
class StateGiver : public StateVisitor {
 public:
  explicit StateGiver(const StateTaker& taken) : taken_(taken) {}
  void tensor(const std::string&, at::Tensor&) override {}
  void scalar(const std::string& name, int64_t& value) override { give(taken_.counts, name, value); }
  void scalar(const std::string& name, double& value) override { give(taken_.numbers, name, value); }
  bool average(const std::string& name, StoredAverage& average) override {
    const auto found = taken_.averages.find(name);
    if (found == taken_.averages.end()) return true;
    const at::Tensor value = average.read().clone();
    at::Tensor to = value, from = found->second;
    for (int64_t d = 0; d < value.dim() && d < from.dim(); ++d) {
      const int64_t both = std::min(to.size(d), from.size(d));
      to = to.narrow(d, 0, both);
      from = from.narrow(d, 0, both);
    }
    to.copy_(from);
    average.write(value);
    return true;
  }

 private:
  template <typename T>
  static void give(const std::map<std::string, T>& from, const std::string& name, T& value) {
    if (const auto found = from.find(name); found != from.end()) value = found->second;
  }

  const StateTaker& taken_;
};

void subtract_state(const OptimizerSettings& settings, const MethodWeight& weight, Ledger& ledger) {
  Ledger counted(at::kMeta);
  Workspace workspace(counted);
  const auto same = make_method(settings, weight, workspace);
  for (const Owner owner : {Owner::moments, Owner::bases}) ledger.add(owner, -counted.bytes(owner));
}

}  // namespace

std::unique_ptr<Method> resized(Method& old, const OptimizerSettings& settings, const MethodWeight& before,
                                const MethodWeight& now, Workspace& workspace) {
  StateTaker taken;
  old.visit(taken);
  int64_t elements = 0;
  for (const auto& [name, average] : taken.averages) elements += average.numel();
  auto method = make_method(settings, now, workspace);
  // Old state, its copy and one new average exist at once for one weight.
  workspace.ledger().note_transient(2 * 4 * elements + 4 * c10::multiply_integers(now.shape));
  StateGiver giver(taken);
  method->visit(giver);
  subtract_state(settings, before, workspace.ledger());
  return method;
}

}  // namespace galore
