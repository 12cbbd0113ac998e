// The state of a weight that gets other sizes.
#pragma once

#include <memory>

#include "core/memory.h"
#include "optim/methods/method_kind.h"

namespace galore {

// Makes the method of `now` and gives it the state of `old`, the method of `before`: each average keeps the
// elements that both sizes have and is zero elsewhere, and numbers go on. The bytes of `old` are subtracted
// from the ledger.
std::unique_ptr<Method> resized(Method& old, const OptimizerSettings& settings, const MethodWeight& before,
                                const MethodWeight& now, Workspace& workspace);

}  // namespace galore
