#include <algorithm>
#include <iterator>

#include "core/errors.h"
#include "optim/subspaces/basis_kind.h"
#include "optim/subspaces/dct_basis.h"
#include "optim/subspaces/importance.h"
#include "optim/subspaces/iteration.h"
#include "optim/subspaces/orthogonal.h"
#include "optim/subspaces/random_basis.h"
#include "optim/subspaces/searched_basis.h"
#include "optim/subspaces/svd.h"

namespace galore {
namespace {

using Kept = BasisTraits::Kept;

std::unique_ptr<Basis> make_searched(const BasisKind& kind, const BasisInputs& inputs) {
  return std::make_unique<SearchedBasis>(kind.finder, inputs);
}
std::unique_ptr<Basis> make_dct(const BasisKind&, const BasisInputs& inputs) {
  return std::make_unique<DctBasis>(inputs);
}
std::unique_ptr<Basis> make_random(const BasisKind&, const BasisInputs& inputs) {
  return std::make_unique<RandomBasis>(inputs);
}

const BasisKind kBases[] = {
    {"randomized", {}, find_by_randomized_iteration, make_searched},
    {"sketch", {.wants_average = true}, find_by_sketch, make_searched},
    {"svd", {.by_products = false}, find_by_svd, make_searched},
    {"warm", {.staggers = true}, find_by_warm_iteration, make_searched},
    {"dct", {.kept = Kept::column_numbers, .by_products = false}, nullptr, make_dct},
    {"i3s", {.by_products = false}, find_by_importance, make_searched},
    {"orthogonal", {}, find_at_random, make_searched},
    {"random", {.kept = Kept::nothing, .orthonormal = false}, nullptr, make_random},
};

}  // namespace

const BasisKind& basis_kind(const std::string& name) {
  const auto found = std::find_if(std::begin(kBases), std::end(kBases),
                                  [&](const BasisKind& kind) { return kind.name == name; });
  GALORE_ASSERT(found != std::end(kBases));
  return *found;
}

std::vector<std::string> subspace_names() {
  std::vector<std::string> names;
  for (const BasisKind& kind : kBases) names.emplace_back(kind.name);
  return names;
}

}  // namespace galore
