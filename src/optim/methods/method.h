// A method turns one weight's gradient into a direction, using an update rule and whatever the paper adds.
//
// It never sees the weight, the learning rate, the device or other parameters. One method object belongs to
// one parameter and owns its state.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/state_visitor.h"
#include "optim/direction.h"
#include "optim/subspaces/subspace.h"
#include "optim/update_rules/update_rule.h"

namespace galore {

struct StepContext {
  int64_t step = 1;          // of this parameter, from 1
  bool refresh_due = false;  // decided by the optimizer's schedule
  RandomStream random;       // of this parameter and update
  // Receives lines a user should see, such as a refresh that kept the old basis.
  std::vector<std::string>* notices = nullptr;

  void note(const std::string& notice) const {
    if (!notice.empty() && notices) notices->push_back(notice);
  }
};

// Whether a weight takes part in an update. Where the weights at one place of all layers take turns, one of
// them is active in an update and the others rest.
enum class Activity { always, active, resting };

class Method {
 public:
  virtual ~Method() = default;
  // `gradient`: fp32, contiguous, of the weight's shape; may be overwritten. An empty direction leaves the
  // weight as it is, without decay.
  virtual Direction direction(at::Tensor gradient, const StepContext& context) = 0;
  virtual void visit(StateVisitor& visitor) = 0;
  // Asked when an update begins that follows `updates` others. The gradient of a resting weight is not
  // formed, and direction() is not called.
  virtual Activity activity(int64_t /*updates*/) { return Activity::always; }

  // The basis that is refreshed now and then, if the method has one.
  virtual Subspace* subspace() { return nullptr; }
  // Between refreshes the gradient is read through subspace() alone; then a sink may form the low-rank
  // gradient alone and call the next function.
  virtual bool reads_low_rank() const { return false; }
  virtual Direction direction_of_low_rank(at::Tensor low_rank, const StepContext& context);
  // Takes a new basis, after `steps` updates of this parameter; returns what Subspace::refresh says.
  virtual std::string refresh(const GradientOperator& gradient, const RandomStream& random, int64_t steps);
};

// The rule in the full space.
std::unique_ptr<Method> make_plain(std::unique_ptr<UpdateRule> rule);

}  // namespace galore
