#include "nn/attention_inputs.h"

#include <ATen/ATen.h>

namespace galore {
namespace {

class SeparateInputs : public AttentionInputs {
 public:
  SeparateInputs(const std::string& name, const AttentionSize& size, const WeightSpace& space)
      : query_(name + ".q_proj", {size.hidden, size.heads * size.head_dim, size.bias}, space),
        key_(name + ".k_proj", {size.hidden, size.key_heads * size.head_dim, size.bias}, space),
        value_(name + ".v_proj", {size.hidden, size.key_heads * size.head_dim, size.bias}, space) {}

  void forward(const Pass& pass, const at::Tensor& input, const Projections& out) const override {
    query_.forward(pass, input, as_tokens(out.query));
    key_.forward(pass, input, as_tokens(out.key));
    value_.forward(pass, input, as_tokens(out.value));
  }
  void input_gradient(const Pass& pass, const Projections& gradient,
                      const at::Tensor& input_gradient) const override {
    query_.input_gradient(pass, as_tokens(gradient.query), input_gradient, Write::replace);
    key_.input_gradient(pass, as_tokens(gradient.key), input_gradient, Write::accumulate);
    value_.input_gradient(pass, as_tokens(gradient.value), input_gradient, Write::accumulate);
  }
  void report(const Pass& pass, const Projections& gradient, const at::Tensor& input) override {
    query_.report(pass, as_tokens(gradient.query), input);
    key_.report(pass, as_tokens(gradient.key), input);
    value_.report(pass, as_tokens(gradient.value), input);
  }
  void list(ParameterList& parameters) override {
    for (Linear* linear : {&query_, &key_, &value_}) linear->list(parameters);
  }

 private:
  Linear query_, key_, value_;
};

// The three lie side by side in one matrix of tokens, which is copied from and to: the copies are nothing
// beside the product, and the matrix is scratch.
class FusedInputs : public AttentionInputs {
 public:
  FusedInputs(const std::string& name, const AttentionSize& size, const WeightSpace& space)
      : width_((size.heads + 2 * size.key_heads) * size.head_dim),
        all_(name + ".c_attn", {size.hidden, width_, size.bias, /*inputs_first=*/true}, space) {}

  void forward(const Pass& pass, const at::Tensor& input, const Projections& out) const override {
    const at::Tensor together = matrix(pass, input.size(0));
    all_.forward(pass, input, together);
    if (together.is_meta()) return;
    int64_t first = 0;
    for (const at::Tensor& part : {as_tokens(out.query), as_tokens(out.key), as_tokens(out.value)}) {
      part.copy_(together.narrow(1, first, part.size(1)));
      first += part.size(1);
    }
  }
  void input_gradient(const Pass& pass, const Projections& gradient,
                      const at::Tensor& input_gradient) const override {
    all_.input_gradient(pass, joined(pass, gradient), input_gradient, Write::replace);
  }
  void report(const Pass& pass, const Projections& gradient, const at::Tensor& input) override {
    all_.report(pass, joined(pass, gradient), input);
  }
  void list(ParameterList& parameters) override { all_.list(parameters); }

 private:
  at::Tensor matrix(const Pass& pass, int64_t tokens) const {
    return pass.scratch("attention.fused", {tokens, width_});
  }
  at::Tensor joined(const Pass& pass, const Projections& gradient) const {
    at::Tensor together = matrix(pass, pass.tokens());
    if (!together.is_meta())
      at::cat_out(together, {as_tokens(gradient.query), as_tokens(gradient.key), as_tokens(gradient.value)},
                  1);
    return together;
  }

  int64_t width_;
  Linear all_;
};

}  // namespace

std::unique_ptr<AttentionInputs> make_attention_inputs(const std::string& name, const AttentionSize& size,
                                                       const WeightSpace& space) {
  if (size.fused) return std::make_unique<FusedInputs>(name, size, space);
  return std::make_unique<SeparateInputs>(name, size, space);
}

}  // namespace galore
