// A linear layer with the factors of LoRA: y = f(x) + s B A drop(x), with f as it would be without them.
#pragma once

#include <memory>
#include <string>

#include "adapters/adapter.h"
#include "adapters/lora_factors.h"

namespace galore {

class LoraLinear : public AdaptedLayer {
 public:
  LoraLinear(const Place& place, const LinearSize& size, const LoraSettings& settings,
             const LayerBuilder& inner, Ledger& ledger);

  void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const override;
  void input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                      Write write) const override;
  void report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) override;
  void list(ParameterList& parameters) override;
  const std::string& name() const override { return base_->name(); }
  at::Tensor merged_weight() const override;
  void initialize(uint64_t seed) override;
  bool starts_from_data() const override { return factors_.starts_from_data(); }
  bool inputs_first() const override { return inputs_first_; }
  void start_from(const at::Tensor& gradient, const at::Tensor& input) override {
    factors_.start_from(gradient, input);
  }

 private:
  LinearPointer base_;
  LoraFactors factors_;
  bool inputs_first_;
};

}  // namespace galore
