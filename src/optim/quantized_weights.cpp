#include "optim/quantized_weights.h"

#include <algorithm>

#include "core/errors.h"
#include "kernels/group_quantize.h"
#include "optim/optimizer.h"
#include "optim/parameter_groups.h"
#include "optim/settings.h"
#include "optim/weight_overrides.h"

namespace galore {

void declare_options(OptionTable& table, QuantizedWeightOptions& options) {
  table.add("weight_bits", &options.bits, "bits for each targeted weight; 16: stored like all other weights")
      .choices({"8", "16"})
      .origin("Q-GaLore's code");
  table.add("weight_group_size", &options.group_size, "quantized weights that share a scale")
      .range(2, 65536)
      .origin("Q-GaLore's code");
  table
      .add("stochastic_round", &options.stochastic_round,
           "round quantized updates at random, so that they are right on average; false: to nearest")
      .origin("Q-GaLore's code");
}

std::optional<GroupFormat> weight_format(const OptimizerOptions& options, const Parameter& matrix) {
  const WeightOverride* own = find_override(options, matrix);
  const OptimizerSettings& settings = own ? *own->settings : *options.settings;
  if (!settings.quantized_weights || settings.quantized_weights->bits != 8) return std::nullopt;
  if (!own && !is_targeted(matrix, options.target_modules)) return std::nullopt;
  const int64_t group_size = settings.quantized_weights->group_size;
  if (group_size % 2 != 0) fail_usage("weight_group_size", "expected an even number, given {}", group_size);
  return GroupFormat{8, group_size};
}

void quantize_weights(const ParameterList& parameters, const OptimizerOptions& options, Ledger& ledger) {
  for (Parameter* parameter : parameters) {
    if (!is_matrix(*parameter)) continue;
    const auto format = weight_format(options, *parameter);
    if (!format) continue;
    parameter->codes = zero_group_codes(*format, parameter->sizes(), Owner::weights, ledger);
    const at::Tensor value = parameter->value.contiguous();
    kernels::encode_groups(value.scalar_type() == at::kBFloat16 ? value : value.to(at::kFloat),
                           *parameter->codes, nullptr);
    parameter->value.reset();
  }
}

bool quantizes_weights(const OptimizerOptions& options) {
  const auto asks = [](const OptimizerSettings& settings) {
    return settings.quantized_weights && settings.quantized_weights->bits == 8;
  };
  return asks(*options.settings) ||
         std::any_of(options.overrides.begin(), options.overrides.end(),
                     [&](const WeightOverride& own) { return asks(*own.settings); });
}

void visit_codes(Parameter& parameter, StateVisitor& visitor) {
  GroupQuantized& codes = *parameter.codes;
  visitor.tensor(parameter.name + ".weight_codes", codes.codes);
  visitor.tensor(parameter.name + ".weight_scales", codes.scales);
  visitor.tensor(parameter.name + ".weight_zeros", codes.zeros);
}

}  // namespace galore
