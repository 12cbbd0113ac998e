#include "optim/update_rules/update_rule.h"

#include <ATen/ATen.h>

namespace galore {

at::Tensor turned_state(const at::Tensor& x, const at::Tensor& turn, bool of_columns) {
  return of_columns ? at::mm(x, turn) : at::mm(turn.t(), x);
}

}  // namespace galore
