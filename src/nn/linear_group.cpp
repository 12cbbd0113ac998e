#include "nn/linear_group.h"

#include <ATen/ATen.h>

#include <numeric>

namespace galore {
namespace {

class SeparateMatrices : public LinearGroup {
 public:
  SeparateMatrices(const Place& place, const LinearGroupSize& size, const LayerBuilder& builder) {
    for (size_t i = 0; i < size.names.size(); ++i)
      layers_.push_back(builder.linear(place.at(size.names[i]),
                                       {size.inputs, size.outputs[i], size.bias, size.inputs_first}));
  }

  void forward(const Pass& pass, const at::Tensor& input,
               const std::vector<at::Tensor>& parts) const override {
    for (size_t i = 0; i < layers_.size(); ++i) layers_[i]->forward(pass, input, parts[i], Write::replace);
  }
  void input_gradient(const Pass& pass, const std::vector<at::Tensor>& gradients,
                      const at::Tensor& input_gradient) const override {
    for (size_t i = 0; i < layers_.size(); ++i)
      layers_[i]->input_gradient(pass, gradients[i], input_gradient,
                                 i == 0 ? Write::replace : Write::accumulate);
  }
  void report_gradient(const Pass& pass, const std::vector<at::Tensor>& gradients,
                       const at::Tensor& input) override {
    for (size_t i = 0; i < layers_.size(); ++i) layers_[i]->report_gradient(pass, gradients[i], input);
  }
  void list(ParameterList& parameters) override {
    for (const LinearPointer& layer : layers_) layer->list(parameters);
  }

 private:
  std::vector<LinearPointer> layers_;
};

// Copies the parts from and to the outputs of one matrix. The copies cost little compared with the product,
// and the outputs are scratch.
class FusedMatrix : public LinearGroup {
 public:
  FusedMatrix(const Place& place, const LinearGroupSize& size, const LayerBuilder& builder)
      : size_(size),
        width_(std::accumulate(size.outputs.begin(), size.outputs.end(), int64_t{0})),
        all_(builder.linear(place.at(size.fused), {size.inputs, width_, size.bias, size.inputs_first})) {}

  void forward(const Pass& pass, const at::Tensor& input,
               const std::vector<at::Tensor>& parts) const override {
    const Scratch together = outputs(pass, input.size(0));
    all_->forward(pass, input, together, Write::replace);
    copy(together, parts, [](const at::Tensor& inside, const at::Tensor& part) { part.copy_(inside); });
  }
  void input_gradient(const Pass& pass, const std::vector<at::Tensor>& gradients,
                      const at::Tensor& input_gradient) const override {
    const Scratch together = joined(pass, gradients);
    all_->input_gradient(pass, together, input_gradient, Write::replace);
  }
  void report_gradient(const Pass& pass, const std::vector<at::Tensor>& gradients,
                       const at::Tensor& input) override {
    const Scratch together = joined(pass, gradients);
    all_->report_gradient(pass, together, input);
  }
  void list(ParameterList& parameters) override { all_->list(parameters); }

 private:
  Scratch outputs(const Pass& pass, int64_t tokens) const {
    return pass.scratch("linear_group.fused", {tokens, width_});
  }
  Scratch joined(const Pass& pass, const std::vector<at::Tensor>& gradients) const {
    Scratch together = outputs(pass, gradients.front().size(0));
    copy(together, gradients, [](const at::Tensor& inside, const at::Tensor& part) { inside.copy_(part); });
    return together;
  }
  // Calls move(inside, part) with views of equal shape.
  template <typename Move>
  void copy(const at::Tensor& together, const std::vector<at::Tensor>& parts, const Move& move) const {
    if (together.is_meta()) return;
    const at::Tensor groups = together.view({together.size(0), size_.groups, width_ / size_.groups});
    int64_t first = 0;
    for (const at::Tensor& part : parts) {
      const int64_t share = part.size(1) / size_.groups;
      move(groups.narrow(2, first, share), part.view({part.size(0), size_.groups, share}));
      first += share;
    }
  }

  LinearGroupSize size_;
  int64_t width_;
  LinearPointer all_;
};

}  // namespace

std::unique_ptr<LinearGroup> make_linear_group(const Place& place, const LinearGroupSize& size,
                                               const LayerBuilder& builder) {
  if (!size.fused.empty()) return std::make_unique<FusedMatrix>(place, size, builder);
  return std::make_unique<SeparateMatrices>(place, size, builder);
}

}  // namespace galore
