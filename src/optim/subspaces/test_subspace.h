// A subspace with its workspace, for the tests of subspaces.
#pragma once

#include "optim/subspaces/subspace.h"
#include "optim/test_optimizer.h"

namespace galore::testing_optimizer {

inline const RandomStream kStream(3, "refresh", "w", 5);

inline SubspaceOptions subspace_options(const std::string& proj_type, int64_t rank,
                                        const std::string& finder = "svd") {
  return {.rank = rank, .proj_type = proj_type, .subspace = finder};
}

struct OwnedSubspace {
  Ledger ledger{at::kCPU};
  Workspace workspace{ledger};
  Subspace subspace;
  OwnedSubspace(const SubspaceOptions& options, int64_t m, int64_t n) : subspace(options, m, n, workspace) {}
};

}  // namespace galore::testing_optimizer
