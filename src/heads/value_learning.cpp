#include "heads/value_learning.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "core/errors.h"
#include "kernels/value_loss.h"

namespace galore {
namespace {

at::Tensor target_rows(const ValueSupport& support, const at::Tensor& outputs, const at::Tensor& targets) {
  const at::Tensor rows = targets.dim() == 1 ? targets.unsqueeze(1) : targets;
  const bool fits = outputs.dim() == 2 && rows.dim() == 2 && rows.size(0) == outputs.size(0) &&
                    outputs.size(1) == support.num_outputs() &&
                    (rows.size(1) == 1 || support.loss == ValueLoss::quantile ||
                     (support.is_categorical() && rows.size(1) == outputs.size(1)));
  if (!fits)
    fail("value_losses",
         "expected N x {} outputs, and N targets or N x k as the head takes them, given {} and {}",
         support.num_outputs(), c10::str(outputs.sizes()), c10::str(targets.sizes()));
  if (support.loss == ValueLoss::bradley_terry)
    fail("value_losses", "bradley_terry has no targets of rows: expected preference_losses()");
  return rows.detach().to(outputs.device(), at::kDouble).contiguous();
}

ValueLosses rows_for_losses(const at::Tensor& targets) {
  return {at::empty({targets.size(0)}, targets.options()), at::empty({targets.size(0)}, targets.options())};
}

// Runs the fused kernel forward, which gives the gradient as well.
class ValueLossFunction : public torch::autograd::Function<ValueLossFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& outputs,
                            const at::Tensor& targets, const ValueSupport& support) {
    const at::Tensor gradient =
        outputs.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
    const ValueLosses rows = rows_for_losses(targets);
    value_loss(rows, gradient, targets, support, 1.0);
    context->save_for_backward({gradient});
    context->saved_data["dtype"] = static_cast<int64_t>(outputs.scalar_type());
    return rows.losses.to(at::kFloat);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const at::Tensor gradient = context->get_saved_variables()[0] * gradients[0].unsqueeze(1);
    const auto dtype = static_cast<at::ScalarType>(context->saved_data["dtype"].toInt());
    return {gradient.to(dtype), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor value_losses(const ValueSupport& support, const at::Tensor& outputs, const at::Tensor& targets) {
  return ValueLossFunction::apply(outputs, target_rows(support, outputs, targets), support);
}

at::Tensor target_entropies(const ValueSupport& support, const at::Tensor& targets) {
  const at::Tensor outputs =
      at::zeros({targets.size(0), support.num_outputs()}, targets.options().dtype(at::kFloat));
  const at::Tensor rows = target_rows(support, outputs, targets);
  const ValueLosses results = rows_for_losses(rows);
  value_loss(results, outputs, rows, support, std::nullopt);
  return results.entropies;
}

at::Tensor value_readouts(const ValueSupport& support, const at::Tensor& outputs) {
  const at::Tensor wide = outputs.to(at::kFloat);
  if (!support.is_categorical()) return wide.mean(-1);
  return wide.softmax(-1).matmul(locations_beside(outputs, support));
}

at::Tensor value_deviations(const ValueSupport& support, const at::Tensor& outputs) {
  const at::Tensor wide = outputs.to(at::kFloat);
  if (!support.is_categorical()) return wide.std(-1, /*unbiased=*/false);
  const at::Tensor distance =
      locations_beside(outputs, support) - value_readouts(support, outputs).unsqueeze(-1);
  return (wide.softmax(-1) * distance.square()).sum(-1).sqrt();
}

at::Tensor preference_losses(const at::Tensor& preferred, const at::Tensor& rejected) {
  return at::softplus(rejected - preferred);
}

}  // namespace galore
