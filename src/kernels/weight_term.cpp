#include "kernels/weight_term.h"

#include <ATen/ATen.h>

#include <string>

#include "kernels/convert.h"
#include "kernels/group_quantize.h"
#include "kernels/matmul.h"

namespace galore {

at::Tensor thin_product(const at::Tensor& x, const at::Tensor& thin, const char* name, Workspace& workspace) {
  const at::Tensor factor = converted(thin, x.scalar_type(), workspace, std::string(name) + ".factor");
  at::Tensor product = workspace.get(Owner::workspace, name, {x.size(0), thin.size(1)}, x.scalar_type());
  matrix_product(product, x, factor, Write::replace);
  return product;
}

void add_term_transpose(const at::Tensor& out, const at::Tensor& x, const WeightTerm::Factors& factors,
                        Workspace& workspace) {
  const at::Tensor thin = thin_product(x, factors.right.t(), "weight_term.thin", workspace);
  const at::Tensor left = converted(factors.left, out.scalar_type(), workspace, "weight_term.wide");
  matrix_product(out, thin, left.t(), Write::accumulate);
}

void add_term(const at::Tensor& out, const at::Tensor& x, const WeightTerm::Factors& factors,
              Workspace& workspace) {
  const at::Tensor thin = thin_product(x, factors.left, "weight_term.thin", workspace);
  const at::Tensor right = converted(factors.right, out.scalar_type(), workspace, "weight_term.wide");
  matrix_product(out, thin, right, Write::accumulate);
}

at::Tensor effective_value(const Parameter& parameter) {
  at::Tensor value;
  if (parameter.codes) {
    value = at::empty(parameter.sizes(), parameter.codes->codes.options().dtype(at::kFloat));
    kernels::decode_groups(*parameter.codes, value);
  } else {
    value = parameter.value.detach().clone();
  }
  if (!parameter.has_term()) return value;
  const auto [left, right] = parameter.term->factors();
  const at::ScalarType dtype = value.scalar_type();
  return value.to(at::kFloat)
      .view({left.size(0), right.size(1)})
      .addmm(left, right)
      .view(parameter.sizes())
      .to(dtype);
}

}  // namespace galore
