// Decides which weights are projected, and presents weights to methods as matrices.
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

// Returns true if one of these targets matches this parameter. The parameter may have no value yet.
bool is_targeted(const Parameter& parameter, const std::vector<std::string>& targets);
// Returns true if this target matches this parameter.
bool matches_target(const Parameter& parameter, const std::string& target);

// Returns the number of different layers that the parameters belong to.
int64_t count_layers(const ParameterList& parameters);

// Returns the name with "*" in place of the layer's number, for example "model.layers.*.mlp.up_proj.weight".
// Weights at the same place of different layers share this name.
std::string name_in_any_layer(const std::string& name, int64_t layer);

// Returns the sizes that a method sees: the kernel of a convolution, O x I x kh x kw, is the matrix O x (I kh
// kw). Tensors of one and two dimensions keep their sizes.
std::vector<int64_t> matrix_sizes(const Parameter& parameter);
// Returns the value with these sizes; the result shares the parameter's memory.
at::Tensor matrix_of(const Parameter& parameter);

// Returns true if the parameter has two or more dimensions. Common trainers apply weight decay only to such
// parameters.
bool is_matrix(const Parameter& parameter);

}  // namespace galore
