// The elementwise kernels of a layer and the loss, for 8 x 256 tokens.
#include <ATen/ATen.h>
#include <fmt/core.h>

#include <memory>

#include "bench/kernels/kernel_case.h"
#include "core/memory.h"
#include "kernels/convert.h"
#include "kernels/cross_entropy.h"
#include "kernels/random_normal.h"
#include "kernels/rms_norm.h"
#include "kernels/rotary.h"
#include "kernels/swiglu.h"

namespace galore::bench {
namespace {

struct Layer {
  const char* model;
  int64_t hidden, intermediate, heads;
};
constexpr Layer kLayers[] = {{"130m", 768, 2048, 12}, {"7b", 4096, 11008, 32}};
constexpr int64_t kRows = 8, kLength = 256, kTokens = kRows * kLength;
constexpr int64_t kChunk = 512, kVocabulary = 32000;
constexpr double kEpsilon = 1e-6;

double bytes_of(const at::Tensor& tensor) { return double(tensor.nbytes()); }

Work norm(const Layer& layer, at::ScalarType dtype) {
  const at::Tensor x = normal({kTokens, layer.hidden}, dtype), out = at::empty_like(x);
  const at::Tensor rms = at::empty({kTokens}), weight = normal({layer.hidden});
  return {2 * bytes_of(x), [=] { rms_norm(out, rms, x, weight, kEpsilon); },
          [=] { reference::rms_norm(out, rms, x, weight, kEpsilon); }};
}

Work norm_backward(const Layer& layer, at::ScalarType dtype) {
  const at::Tensor x = normal({kTokens, layer.hidden}, dtype), dy = normal(x.sizes(), dtype);
  const at::Tensor dx = at::zeros_like(x), rms = at::ones({kTokens}), weight = normal({layer.hidden});
  const at::Tensor dw = at::empty_like(weight);
  const auto ledger = std::make_shared<Ledger>(at::kCPU);
  const auto workspace = std::make_shared<Workspace>(*ledger);
  const RmsNormInputs inputs{x, rms, weight};
  return {4 * bytes_of(x),
          [=] {
            static_cast<void>(ledger);  // the workspace needs the ledger alive
            rms_norm_backward(dx, dw, dy, inputs, *workspace);
          },
          [=] { reference::rms_norm_backward(dx, dw, dy, inputs); }};
}

Work activation(const Layer& layer, at::ScalarType dtype) {
  const at::Tensor gate = normal({kTokens, layer.intermediate}, dtype), up = normal(gate.sizes(), dtype);
  const at::Tensor out = at::empty_like(gate);
  return {3 * bytes_of(gate), [=] { swiglu(out, gate, up); }, [=] { reference::swiglu(out, gate, up); }};
}

// The inputs are restored each time, because values that became their own gradients many times over would be
// denormal.
Work activation_backward(const Layer& layer, at::ScalarType dtype) {
  const at::Tensor first = normal({kTokens, layer.intermediate}, dtype);
  const at::Tensor gate = first.clone(), up = first.clone(), product = first.clone();
  Work work{6 * bytes_of(gate), [=] { swiglu_backward(gate, up, product); },
            [=] { reference::swiglu_backward(gate, up, product); },
            [=] {
              for (const at::Tensor& tensor : {gate, up, product}) tensor.copy_(first);
            }};
  work.stream = Stream::in_place;
  return work;
}

Work rotation(const Layer& layer, at::ScalarType dtype) {
  const int64_t dim = layer.hidden / layer.heads;
  const at::Tensor x = normal({kRows, kLength, layer.heads, dim}, dtype);
  const at::Tensor angles = normal({kLength, dim / 2}), cosine = angles.cos(), sine = angles.sin();
  Work work{2 * bytes_of(x), [=] { rotate(x, cosine, sine, false); },
            [=] { reference::rotate(x, cosine, sine, false); }};
  work.stream = Stream::in_place;
  return work;
}

// The loss passes three times over a row of the vocabulary. The second and third pass find the row in the
// cache.
Work loss(at::ScalarType dtype) {
  const at::Tensor logits = normal({kChunk, kVocabulary}, dtype), losses = at::empty({kChunk}, at::kDouble);
  const at::Tensor labels = at::arange(kChunk, at::kLong);
  Work work{2 * bytes_of(logits), [=] { cross_entropy(losses, logits, labels, 1e-3); },
            [=] { reference::cross_entropy(losses, logits, labels, 1e-3); }};
  work.stream = Stream::in_place;
  return work;
}

Work conversion(const Layer& layer, at::ScalarType from, at::ScalarType to) {
  const at::Tensor in = normal({layer.intermediate, layer.hidden}, from), out = at::empty(in.sizes(), to);
  return {bytes_of(in) + bytes_of(out), [=] { convert(out, in); }, [=] { out.copy_(in); }};
}

void add_layer(std::vector<KernelCase>& cases, const Layer& layer, at::ScalarType dtype) {
  const std::string type = dtype == at::kFloat ? " fp32" : " bf16";
  // In fp32 the memory takes longer than this arithmetic; in bf16 it does not.
  const char* sigmoid = dtype == at::kFloat ? "" : "an exponential and a division an element";
  const std::string hidden = fmt::format("{} {}x{}", layer.model, kTokens, layer.hidden);
  const std::string inner = fmt::format("{} {}x{}", layer.model, kTokens, layer.intermediate);
  cases.push_back({"rms_norm" + type, hidden, "", [=] { return norm(layer, dtype); }});
  cases.push_back({"rms_norm_backward" + type, hidden, "", [=] { return norm_backward(layer, dtype); }});
  cases.push_back({"swiglu" + type, inner, sigmoid, [=] { return activation(layer, dtype); }});
  cases.push_back(
      {"swiglu_backward" + type, inner, sigmoid, [=] { return activation_backward(layer, dtype); }});
  cases.push_back({"rotate" + type, hidden, "", [=] { return rotation(layer, dtype); }});
}

}  // namespace

at::Tensor normal(at::IntArrayRef shape, at::ScalarType dtype, double deviation) {
  static uint64_t tensors = 0;
  const at::Tensor out = at::empty(shape, dtype);
  random_normal(out, deviation, RandomStream(1, "bench", "", tensors++));
  return out;
}

std::vector<KernelCase> layer_cases() {
  std::vector<KernelCase> cases;
  for (const Layer& layer : kLayers) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) add_layer(cases, layer, dtype);
    const std::string size = fmt::format("{} {}x{}", layer.model, layer.intermediate, layer.hidden);
    cases.push_back(
        {"convert bf16 to fp32", size, "", [=] { return conversion(layer, at::kBFloat16, at::kFloat); }});
    cases.push_back(
        {"convert fp32 to bf16", size, "", [=] { return conversion(layer, at::kFloat, at::kBFloat16); }});
  }
  const std::string size = fmt::format("{}x{}", kChunk, kVocabulary);
  cases.push_back({"cross_entropy fp32", size, "an exponential a logit", [] { return loss(at::kFloat); }});
  cases.push_back(
      {"cross_entropy bf16", size, "two exponentials a logit", [] { return loss(at::kBFloat16); }});
  return cases;
}

}  // namespace galore::bench
