// Derives the role and the layer of a weight from its name, for weights without a stated role: modules
// trained by autograd (optim/autograd_optimizer.h) and recorded traces (train/replay.h). Models of this
// project state role and layer in their parameters, so no other file may use these functions.
#pragma once

#include <string>
#include <vector>

#include "core/parameter.h"

namespace galore {

// Derives the role from the naming conventions of common model libraries: "embed", "wte" or "wpe" in a name
// means an embedding, "lm_head" means the head, and a trailing ".bias" means a bias. Other tensors of one
// dimension are norms, and all others are matrices.
Role role_by_name(const std::string& name, int64_t dimensions);
// Returns the number after "layers.", "layer." or "h." in a name, or -1 if there is none.
int64_t layer_by_name(const std::string& name);

// Returns the targets for an empty target_modules: matrices with "attn" or "mlp" in their names, as in the
// GaLore authors' code.
const std::vector<std::string>& default_targets_by_name();

}  // namespace galore
