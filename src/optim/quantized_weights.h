// Weights that are stored only in 8-bit codes (Q-GaLore, arXiv 2407.08296, section 3.4): the choice of these
// weights, and the rounding of updates.
#pragma once

#include <optional>
#include <string>

#include "core/group_quantized.h"
#include "core/options.h"
#include "core/parameter.h"
#include "core/state_visitor.h"

namespace galore {

struct OptimizerOptions;

struct QuantizedWeightOptions {
  int64_t bits = 8;  // 16: weights are stored as in other optimizers
  int64_t group_size = 256;
  bool stochastic_round = true;
};
void declare_options(OptionTable& table, QuantizedWeightOptions& options);

// Returns the quantization format of this matrix, or nothing if the matrix is not quantized. A matrix is
// quantized if it is targeted and its optimizer asks for it. The matrix may have no value yet.
std::optional<GroupFormat> weight_format(const OptimizerOptions& options, const Parameter& matrix);
// Quantizes the matrices for which weight_format() returns a format, if they are not quantized yet.
void quantize_weights(const ParameterList& parameters, const OptimizerOptions& options, Ledger& ledger);
// Returns true when the options may quantize any weight.
bool quantizes_weights(const OptimizerOptions& options);
// Visits the exact codes under "<name>.weight_codes" and similar names. A model's files hold the decoded and
// rounded values.
void visit_codes(Parameter& parameter, StateVisitor& visitor);

}  // namespace galore
