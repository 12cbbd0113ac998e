// A method turns one weight's gradient into a direction. It uses an update rule and the additions of its
// paper.
//
// A method never sees the weight, the learning rate, the device or other parameters. One method object
// belongs to one parameter and owns its state.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/state_visitor.h"
#include "optim/direction.h"
#include "optim/subspaces/subspace.h"
#include "optim/update_rules/update_rule.h"

namespace galore {

struct StepContext {
  int64_t step = 1;          // number of this parameter's update, from 1
  bool refresh_due = false;  // the optimizer's schedule decides it
  RandomStream random;       // stream of this parameter and update
  // Receives messages for the user, such as the report that a refresh kept the old basis.
  std::vector<std::string>* notices = nullptr;

  void note(const std::string& notice) const {
    if (!notice.empty() && notices) notices->push_back(notice);
  }
};

// Says whether a weight takes part in an update. If the weights at one place of all layers take turns, one of
// them is active in each update, and the others rest.
enum class Activity { always, active, resting };

class Method {
 public:
  virtual ~Method() = default;
  // Returns the direction. `gradient` is fp32, contiguous and of the weight's shape, and may be overwritten.
  // An empty direction leaves the weight as it is, without decay.
  virtual Direction direction(at::Tensor gradient, const StepContext& context) = 0;
  // Returns the direction of a rule that computes it while the weight is written (UpdateRule), or nothing.
  virtual std::optional<kernels::AdamDirection> deferred_direction(const at::Tensor& /*gradient*/,
                                                                   int64_t /*step*/) {
    return std::nullopt;
  }
  virtual void visit(StateVisitor& visitor) = 0;
  // Called when the update after `updates` others begins. The gradient of a resting weight is not formed, and
  // direction() is not called for it.
  virtual Activity activity(int64_t /*updates*/) { return Activity::always; }

  // Returns the basis that is refreshed at intervals, or null when the method has none.
  virtual Subspace* subspace() { return nullptr; }
  // Returns true when the method reads the gradient only through subspace() between refreshes. A sink may
  // then form only the low-rank gradient and call direction_of_low_rank().
  virtual bool reads_low_rank() const { return false; }
  virtual Direction direction_of_low_rank(at::Tensor low_rank, const StepContext& context);
  // Takes a new basis after `steps` updates of this parameter. Returns the message of Subspace::refresh.
  virtual std::string refresh(const GradientOperator& gradient, const RandomStream& random, int64_t steps);
};

// Makes the method that applies the rule to the full gradient.
std::unique_ptr<Method> make_plain(std::unique_ptr<UpdateRule> rule);

}  // namespace galore
