// Decides which weights are projected, and shows methods a weight as a matrix.
#pragma once

#include <string>
#include <vector>

#include "core/parameter.h"
#include "optim/update_report.h"

namespace galore {

// Chooses the parameters that are projected. `targets` holds names (a part of the parameter's name), regular
// expressions (of the whole name without ".weight") and "all-linear", which means every parameter of
// Role::matrix. An empty list means "all-linear". Norms and biases are never projected, embedding and head
// only if a target names them. The caller decides what to do about targets that match nothing; a target that
// matches no name and is no regular expression is a UsageError.
Grouping group_parameters(const ParameterList& parameters, const std::vector<std::string>& targets);

// Whether these targets mean this parameter. Its value is not looked at and may be missing.
bool is_targeted(const Parameter& parameter, const std::vector<std::string>& targets);
// Whether one target means this parameter.
bool matches_target(const Parameter& parameter, const std::string& target);

// The number of different layers that the parameters belong to.
int64_t count_layers(const ParameterList& parameters);

// The name with "*" in place of the layer's number, e.g. "model.layers.*.mlp.up_proj.weight". Weights that
// stand at the same place of different layers share it.
std::string name_in_any_layer(const std::string& name, int64_t layer);

// The sizes that a method sees: the kernel of a convolution, O x I x kh x kw, is the matrix O x (I kh kw);
// tensors of one and two dimensions keep their sizes.
std::vector<int64_t> matrix_sizes(const Parameter& parameter);
// The value with those sizes; it shares the parameter's memory.
at::Tensor matrix_of(const Parameter& parameter);

// Whether the parameter has two dimensions or more. Common trainers give no weight decay to the others.
bool is_matrix(const Parameter& parameter);

}  // namespace galore
