#include "nn/linear_bias.h"

#include <ATen/ATen.h>

#include "nn/linear_layer.h"

namespace galore {

BiasAround::BiasAround(const at::Tensor& out, const Parameter& bias, Write write)
    : out_(out), bias_(bias.value), product_(write), last_(false) {
  if (!bias_.defined()) return;
  last_ = write == Write::accumulate;
  if (last_) return;
  out_.copy_(bias_.expand_as(out_));
  product_ = Write::accumulate;
}

void BiasAround::finish() const {
  if (last_) out_.add_(bias_);
}

void report_bias(const Pass& pass, const Parameter& bias, const at::Tensor& gradient) {
  if (!bias.sink) return;
  const Scratch sum = pass.scratch("linear.bias_gradient", {gradient.size(1)});
  at::Tensor out = *sum;
  at::sum_out(out, gradient, {0});
  bias.sink->add(sum);
  finish_report(pass, bias);
}

}  // namespace galore
