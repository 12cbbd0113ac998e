#include "optim/named_state.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/errors.h"

namespace galore {
namespace {

class ListState : public StateVisitor {
 public:
  void tensor(const std::string& name, at::Tensor& tensor) override {
    if (tensor.defined()) values.emplace_back(name, tensor);
  }
  void scalar(const std::string& name, int64_t& value) override {
    values.emplace_back(name, at::scalar_tensor(value, at::kLong));
  }
  void scalar(const std::string& name, double& value) override {
    values.emplace_back(name, at::scalar_tensor(value, at::kDouble));
  }
  std::vector<std::pair<std::string, at::Tensor>> values;
};

std::string shape_text(const at::Tensor& tensor) {
  std::string text;
  for (const int64_t size : tensor.sizes()) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

class LoadState : public StateVisitor {
 public:
  LoadState(at::Device device, const FindValue& find) : device_(device), find_(find) {}

  void tensor(const std::string& name, at::Tensor& tensor) override {
    const at::Tensor* value = find_(name);
    if (!tensor.defined()) {
      if (value)
        tensor = value->detach().to(device_, value->scalar_type(), /*non_blocking=*/false, /*copy=*/true);
      return;
    }
    check(name, value, tensor.scalar_type());
    if (value->sizes() != tensor.sizes())
      fail_usage("state", "{}: expected the shape {}, given {}", name, shape_text(tensor),
                 shape_text(*value));
    tensor.copy_(*value);
  }
  void scalar(const std::string& name, int64_t& value) override {
    value = number(name, at::kLong).item<int64_t>();
  }
  void scalar(const std::string& name, double& value) override {
    value = number(name, at::kDouble).item<double>();
  }

 private:
  static void check(const std::string& name, const at::Tensor* value, at::ScalarType type) {
    if (!value) fail_usage("state", "{}: expected a value, given none", name);
    if (value->scalar_type() != type)
      fail_usage("state", "{}: expected {}, given {}", name, c10::toString(type),
                 c10::toString(value->scalar_type()));
  }
  const at::Tensor& number(const std::string& name, at::ScalarType type) const {
    const at::Tensor* value = find_(name);
    check(name, value, type);
    if (value->numel() != 1) fail_usage("state", "{}: expected one number, given {}", name, value->numel());
    return *value;
  }

  at::Device device_;
  const FindValue& find_;
};

}  // namespace

std::vector<std::pair<std::string, at::Tensor>> named_state(Optimizer& optimizer) {
  ListState list;
  optimizer.visit(list);
  return std::move(list.values);
}

void load_named_state(Optimizer& optimizer, at::Device device, const FindValue& find) {
  const c10::NoGradGuard no_grad;
  LoadState load(device, find);
  optimizer.visit(load);
}

}  // namespace galore
