// Reads what a weight is from its name, for weights whose owner does not say it: modules that autograd trains
// (optim/autograd_optimizer.h) and recorded traces (train/replay.h). Models of this project state role and
// layer in their parameters, so nothing else may use this file.
#pragma once

#include <string>
#include <vector>

#include "core/parameter.h"

namespace galore {

// By the names that the common model libraries use: "embed", "wte" or "wpe" in a name means an embedding,
// "lm_head" the head, a trailing ".bias" a bias; other tensors of one dimension are norms, and all others are
// matrices.
Role role_by_name(const std::string& name, int64_t dimensions);
// The number behind "layers.", "layer." or "h." in a name; -1 where there is none.
int64_t layer_by_name(const std::string& name);

// The targets of an empty target_modules: matrices whose names contain "attn" or "mlp", as in the code of
// GaLore's authors.
const std::vector<std::string>& default_targets_by_name();

}  // namespace galore
