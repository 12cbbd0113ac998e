#include "optim/optimizer_options.h"

#include "core/options.h"
#include "optim/settings.h"

namespace galore {

OptimizerOptions::OptimizerOptions() : settings(OptimizerSettings{}) {}

void declare_options(OptionTable& table, OptimizerOptions& options) {
  table.add("optim_target_modules", &options.target_modules,
            "projected weights: names, regular expressions or all-linear, the default");
  table.add("weight_decay", &options.weight_decay, "decoupled decay, times the learning rate").range(0, 1e6);
  table.add("optim_layerwise", &options.layerwise,
            "update each weight during the backward pass and free its gradient");
  table.add("max_grad_norm", &options.max_grad_norm, "largest gradient norm; 0 does not clip")
      .range(0, 1e30)
      .alias("grad_clipping");
  table.add("layerwise_clipping", &options.layerwise_clipping, "norm by which layer-wise mode clips")
      .choices({"previous_norm", "per_tensor"});
  table
      .add("gradient", &options.gradient,
           "full: form every gradient; projected: form only the projection of projected weights' gradients, "
           "between refreshes")
      .choices({"full", "projected"});
  table
      .add("grad_norm", &options.grad_norm,
           "norm for the log and for clipping when gradients are not formed: projected: inside the "
           "subspaces; exact: of whole gradients, which costs time; auto: exact if max_grad_norm is set")
      .choices({"auto", "exact", "projected"});
  table
      .add("basis_gradient", &options.basis_gradient,
           "gradient from which a basis is found, with gradient=projected and accumulation: the whole "
           "update's, formed for the weights that are due, or its first_micro_batch's, which is never formed")
      .choices({"update", "first_micro_batch"});
  table.add("bf16_rounding", &options.rounding, "how updates are rounded into bf16 weights")
      .choices({"nearest", "stochastic"});
  table
      .add("lift", &options.lift,
           "when directions of a subspace are added to their weight: eager: in every update; lazy: when the "
           "basis changes, and layers compute with both until then; auto: lazy if it costs less")
      .choices({"eager", "lazy", "auto"});
  table.add("master_weights", &options.master_weights, "keep fp32 copies of bf16 weights");
}

}  // namespace galore
