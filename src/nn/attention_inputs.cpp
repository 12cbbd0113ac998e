#include "nn/attention_inputs.h"

#include <ATen/ATen.h>

namespace galore {
namespace {

class SeparateInputs : public AttentionInputs {
 public:
  SeparateInputs(const Place& place, const AttentionSize& size, const LayerBuilder& builder) {
    const auto projection = [&](const std::string& name, int64_t heads) {
      return builder.linear(place.at(name),
                            {size.hidden, heads * size.head_dim, size.bias, size.inputs_first});
    };
    query_ = projection(size.query, size.heads);
    key_ = projection(size.key, size.key_heads);
    value_ = projection(size.value, size.key_heads);
  }

  void forward(const Pass& pass, const at::Tensor& input, const Projections& out) const override {
    query_->forward(pass, input, as_tokens(out.query), Write::replace);
    key_->forward(pass, input, as_tokens(out.key), Write::replace);
    value_->forward(pass, input, as_tokens(out.value), Write::replace);
  }
  void input_gradient(const Pass& pass, const Projections& gradient,
                      const at::Tensor& input_gradient) const override {
    query_->input_gradient(pass, as_tokens(gradient.query), input_gradient, Write::replace);
    key_->input_gradient(pass, as_tokens(gradient.key), input_gradient, Write::accumulate);
    value_->input_gradient(pass, as_tokens(gradient.value), input_gradient, Write::accumulate);
  }
  void report_gradient(const Pass& pass, const Projections& gradient, const at::Tensor& input) override {
    query_->report_gradient(pass, as_tokens(gradient.query), input);
    key_->report_gradient(pass, as_tokens(gradient.key), input);
    value_->report_gradient(pass, as_tokens(gradient.value), input);
  }
  void list(ParameterList& parameters) override {
    for (const LinearPointer* linear : {&query_, &key_, &value_}) (*linear)->list(parameters);
  }

 private:
  LinearPointer query_, key_, value_;
};

// Stores queries, keys and values as columns of one matrix of tokens, and copies them from and to it. The
// copies cost little compared with the product, and the matrix is scratch.
class FusedInputs : public AttentionInputs {
 public:
  FusedInputs(const Place& place, const AttentionSize& size, const LayerBuilder& builder)
      : width_((size.heads + 2 * size.key_heads) * size.head_dim),
        all_(builder.linear(place.at(size.fused), {size.hidden, width_, size.bias, size.inputs_first})) {}

  void forward(const Pass& pass, const at::Tensor& input, const Projections& out) const override {
    const Scratch together = matrix(pass, input.size(0));
    all_->forward(pass, input, together, Write::replace);
    if (together->is_meta()) return;
    int64_t first = 0;
    for (const at::Tensor& part : {as_tokens(out.query), as_tokens(out.key), as_tokens(out.value)}) {
      part.copy_(together->narrow(1, first, part.size(1)));
      first += part.size(1);
    }
  }
  void input_gradient(const Pass& pass, const Projections& gradient,
                      const at::Tensor& input_gradient) const override {
    const Scratch together = joined(pass, gradient);
    all_->input_gradient(pass, together, input_gradient, Write::replace);
  }
  void report_gradient(const Pass& pass, const Projections& gradient, const at::Tensor& input) override {
    const Scratch together = joined(pass, gradient);
    all_->report_gradient(pass, together, input);
  }
  void list(ParameterList& parameters) override { all_->list(parameters); }

 private:
  Scratch matrix(const Pass& pass, int64_t tokens) const {
    return pass.scratch("attention.fused", {tokens, width_});
  }
  Scratch joined(const Pass& pass, const Projections& gradient) const {
    Scratch together = matrix(pass, pass.tokens());
    at::Tensor out = *together;
    if (!out.is_meta())
      at::cat_out(out, {as_tokens(gradient.query), as_tokens(gradient.key), as_tokens(gradient.value)}, 1);
    return together;
  }

  int64_t width_;
  LinearPointer all_;
};

}  // namespace

std::unique_ptr<AttentionInputs> make_attention_inputs(const Place& place, const AttentionSize& size,
                                                       const LayerBuilder& builder) {
  if (!size.fused.empty()) return std::make_unique<FusedInputs>(place, size, builder);
  return std::make_unique<SeparateInputs>(place, size, builder);
}

}  // namespace galore
