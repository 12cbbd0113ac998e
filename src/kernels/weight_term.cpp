#include "kernels/weight_term.h"

#include <ATen/ATen.h>

#include <string>

#include "kernels/group_quantize.h"
#include "kernels/matmul.h"

namespace galore {
namespace {

// As kernels/convert.h has it for contiguous tensors, of any strides.
at::Tensor in_dtype(const at::Tensor& x, at::ScalarType dtype, const std::string& name,
                    Workspace& workspace) {
  if (x.scalar_type() == dtype) return x;
  at::Tensor converted = workspace.get(Owner::workspace, name, x.sizes(), dtype);
  return converted.copy_(x);
}

}  // namespace

at::Tensor thin_product(const at::Tensor& x, const at::Tensor& thin, const char* name, Workspace& workspace) {
  const at::Tensor factor = in_dtype(thin, x.scalar_type(), std::string(name) + ".factor", workspace);
  at::Tensor product = workspace.get(Owner::workspace, name, {x.size(0), thin.size(1)}, x.scalar_type());
  matrix_product(product, x, factor, Write::replace);
  return product;
}

void add_term_transpose(const at::Tensor& out, const at::Tensor& x, const WeightTerm::Factors& factors,
                        Workspace& workspace) {
  const at::Tensor thin = thin_product(x, factors.right.t(), "weight_term.thin", workspace);
  const at::Tensor left = in_dtype(factors.left, out.scalar_type(), "weight_term.wide", workspace);
  matrix_product(out, thin, left.t(), Write::accumulate);
}

void add_term(const at::Tensor& out, const at::Tensor& x, const WeightTerm::Factors& factors,
              Workspace& workspace) {
  const at::Tensor thin = thin_product(x, factors.left, "weight_term.thin", workspace);
  const at::Tensor right = in_dtype(factors.right, out.scalar_type(), "weight_term.wide", workspace);
  matrix_product(out, thin, right, Write::accumulate);
}

at::Tensor effective_value(const Parameter& parameter) {
  at::Tensor value;
  if (parameter.codes) {
    value = at::empty(parameter.sizes(), at::kFloat);
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
