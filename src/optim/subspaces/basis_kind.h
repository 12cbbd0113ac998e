// The table of bases by the option `subspace`. A new search or basis is one file and one row in bases.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "optim/subspaces/basis.h"
#include "optim/subspaces/basis_finder.h"

namespace galore {

struct BasisTraits {
  enum class Kept { numbers, column_numbers, nothing };
  Kept kept = Kept::numbers;
  bool by_products = true;     // a refresh needs only products with the gradient
  bool wants_average = false;  // a refresh uses the rule's average of low-rank gradients
  bool orthonormal = true;     // the columns are orthonormal
  bool staggers = false;       // refresh=auto spreads its refreshes over the gap
};

struct BasisKind {
  const char* name;
  BasisTraits traits;
  BasisFinder finder;  // null: the basis is not searched
  std::unique_ptr<Basis> (*make)(const BasisKind& kind, const BasisInputs& inputs);

  // Returns true if a method may move the basis and refreshes may choose its rank.
  bool is_searched() const { return finder != nullptr; }
};

// Returns the kind for a value of the option. An unknown value fails an assertion, because the option has
// refused it before.
const BasisKind& basis_kind(const std::string& name);
// Returns all values of the option.
std::vector<std::string> subspace_names();

}  // namespace galore
