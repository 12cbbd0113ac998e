// What an optimizer keeps for one weight, declared once a preset: the text that people read and the number of
// bytes are both made of the same list. The parts themselves do not know it; tests hold what they allocate
// against it.
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

// The text of an option by its name.
using OptionText = std::function<std::string(const std::string& option)>;

struct StateTensor {
  // moment: as StorageOptions say; basis: as SubspaceOptions say, with what a
  // lazy refresh keeps; scalar: a number outside the tensors, which
  // counts no bytes.
  enum class Kind { float32, moment, basis, scalar };
  // Its elements: a product of m, n and r, for an m x n weight whose side m is projected (the shorter one
  // under proj_type=std), or a text that `count` puts in numbers.
  std::string elements;
  Kind kind = Kind::float32;
  // What must hold for it to be kept: "momentum" (above 0), "proj=svd", "density<1"; "": always.
  std::string needs = "";
  std::function<int64_t(const StateSizes&, const OptionText&)> count = nullptr;
};

// As "4mr + 2nr + 8 ceil(nr / block_size) bytes (8nr where nr < min_8bit_size), 4nr more with beta1".
std::string state_formula(const std::vector<StateTensor>& tensors, const StorageOptions& storage,
                          const SubspaceOptions& subspace = {});
int64_t state_bytes(const std::vector<StateTensor>& tensors, const StateSizes& sizes,
                    const OptionText& option);

}  // namespace galore
