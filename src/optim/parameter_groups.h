// Which weights are projected, by name.
#pragma once

#include <string>
#include <vector>

#include "core/parameter.h"

namespace galore {

struct Grouping {
  std::vector<bool> projected;  // one a parameter
  // One line for people: how many are projected, by which pattern, and what the others get.
  std::string report;
  std::vector<std::string> unmatched;  // targets that match no matrix
};

// `targets`: names (a part of the parameter's name), regular expressions (of the whole module name, without
// ".weight"), or "all-linear" (every matrix except embedding and head). Empty: "attn" and "mlp", as the
// authors' code. Only matrices are projected; norms, biases, embedding and head never are by default. The
// caller decides what to do about targets that match nothing.
Grouping group_parameters(const ParameterList& parameters, const std::vector<std::string>& targets);

// Whether the matrix of this name is projected by these targets.
bool is_targeted(const std::string& parameter, const std::vector<std::string>& targets);
// What a weight is, by its name; a matrix shared by both is the embedding.
bool is_embedding(const std::string& parameter);
bool is_head(const std::string& parameter);

// The number after "layers." in a name ("h." and "layer." of other models); -1: of no layer.
int64_t layer_of(const std::string& parameter);
// How many different ones there are.
int64_t count_layers(const ParameterList& parameters);

// The name without that number, "model.layers.*.mlp.up_proj.weight": what the same weight of all layers has
// in common.
std::string name_in_any_layer(const std::string& parameter);

// Whether a target (one name or expression, as above) means this parameter, whatever its kind.
bool matches_module(const std::string& parameter, const std::string& target);

// What a method sees of a parameter: a convolution's O x I x kh x kw is the matrix O x (I kh kw), others are
// as they are.
std::vector<int64_t> matrix_sizes(const Parameter& parameter);
// The value as that matrix, sharing its memory.
at::Tensor matrix_of(const Parameter& parameter);

// Norms and biases (one dimension): the usual trainers give them no weight decay.
bool is_matrix(const Parameter& parameter);

}  // namespace galore
