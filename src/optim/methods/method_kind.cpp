#include "optim/methods/method_kind.h"

#include "core/errors.h"

namespace galore {

std::unique_ptr<UpdateRule> MethodInputs::rule(at::IntArrayRef of_shape) const {
  return make_rule(settings, of_shape, workspace);
}

std::unique_ptr<Subspace> MethodInputs::subspace() const {
  const MethodKind& kind = *settings.method;
  const BasisKind& basis = basis_kind(settings.subspace.subspace);
  if (kind.traits().needs_orthonormal && !basis.traits.orthonormal)
    fail_usage("subspace", "{}: expected an orthonormal basis, such as orthogonal; given {}", kind.name(),
               basis.name);
  if (kind.traits().moves_basis && !basis.is_searched())
    fail_usage("subspace", "{}: expected a basis that can move, such as svd; given {}", kind.name(),
               basis.name);
  return std::make_unique<Subspace>(settings.subspace, rows(), columns(), workspace);
}

std::unique_ptr<Moment> MethodInputs::moment(at::IntArrayRef of_shape, bool is_signed) const {
  return make_moment(settings.storage, of_shape, is_signed, workspace.ledger());
}

}  // namespace galore
