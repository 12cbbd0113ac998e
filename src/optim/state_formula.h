// The state that an optimizer keeps for one weight, declared once for each preset. Both the text for people
// and the number of bytes are computed from this list. The parts themselves do not know it; tests compare it
// with their allocations.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "optim/storage/moment.h"
#include "optim/subspaces/subspace_options.h"

namespace galore {

struct StateSizes {
  int64_t m = 0, n = 0, r = 0;
  StorageOptions storage;
  SubspaceOptions subspace;
};

// Returns the text of an option by its name.
using OptionText = std::function<std::string(const std::string& option)>;

struct StateTensor {
  // moment: stored as StorageOptions say; basis: stored as SubspaceOptions say, including the state of lazy
  // refreshes; scalar: a number outside the tensors, which counts no bytes.
  enum class Kind { float32, moment, basis, scalar };
  // Its number of elements: a product of m, n and r, for an m x n weight with projected side m (the shorter
  // side under proj_type=std), or a text that `count` evaluates.
  std::string elements;
  Kind kind = Kind::float32;
  // The condition for keeping it: "momentum" (above 0), "proj=svd", "density<1"; "": always.
  std::string needs = "";
  std::function<int64_t(const StateSizes&, const OptionText&)> count = nullptr;
};

// Returns a text such as "4mr + 2nr + 8 ceil(nr / block_size) bytes (8nr where nr < min_8bit_size), 4nr more
// with beta1".
std::string state_formula(const std::vector<StateTensor>& tensors, const StorageOptions& storage,
                          const SubspaceOptions& subspace = {});
int64_t state_bytes(const std::vector<StateTensor>& tensors, const StateSizes& sizes,
                    const OptionText& option);

}  // namespace galore
