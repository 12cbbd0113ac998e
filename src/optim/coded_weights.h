// Weights that are kept in 8-bit codes and nowhere else (Q-GaLore, arXiv 2407.08296, section 3.4): which, and
// how updates are rounded into them.
#pragma once

#include <optional>
#include <string>

#include "core/group_codes.h"
#include "core/options.h"
#include "core/parameter.h"
#include "core/state_visitor.h"

namespace galore {

struct OptimizerOptions;

struct CodedWeightOptions {
  int64_t bits = 8;  // 16: weights are kept as those of other optimizers
  int64_t group_size = 256;
  bool stochastic_round = true;
};
void declare_options(OptionTable& table, CodedWeightOptions& options);

// The format of this matrix's codes, or nothing if it is not kept in codes. A matrix is kept in codes if it
// is targeted and its optimizer asks for it. Its value may still be missing.
std::optional<GroupFormat> weight_format(const OptimizerOptions& options, const Parameter& matrix);
// Turns the values of matrices into codes where weight_format() says so, for parameters that did not ask.
void code_weights(const ParameterList& parameters, const OptimizerOptions& options, Ledger& ledger);
// Whether any weight may be.
bool codes_weights(const OptimizerOptions& options);
// The exact codes under "<name>.weight_codes" and the like: a model's files hold what they decode to,
// rounded.
void visit_codes(Parameter& parameter, StateVisitor& visitor);

}  // namespace galore
