#include "nn/layer_builder.h"

#include "nn/dense_linear.h"

namespace galore {

TablePointer LayerBuilder::embedding(const Place& place, const TableSize& size) const {
  return std::make_unique<StoredTable>(place, size, *this);
}

LinearPointer DenseBuilder::linear(const Place& place, const LinearSize& size) const {
  return std::make_unique<DenseLinear>(place, size, *this);
}

void DenseBuilder::allocate(Parameter& parameter, at::IntArrayRef shape) const {
  parameter.value = ledger_.empty(Owner::weights, shape, dtype_);
}

LinearPointer QuantizedBuilder::linear(const Place& place, const LinearSize& size) const {
  return std::make_unique<DenseLinear>(place, size, *this);
}

void QuantizedBuilder::allocate(Parameter& parameter, at::IntArrayRef shape) const {
  const auto format =
      parameter.role == Role::matrix ? quantization_(parameter) : std::optional<GroupFormat>();
  if (!format) return inner_->allocate(parameter, shape);
  parameter.codes = zero_group_codes(*format, shape, Owner::weights, ledger_);
}

void define_parameter(Parameter& parameter, const Place& place, const char* name, at::IntArrayRef shape,
                      const LayerBuilder& builder) {
  parameter.name = place.name + "." + name;
  parameter.role = place.role;
  parameter.layer = place.layer;
  builder.allocate(parameter, shape);
}

}  // namespace galore
