// Measures forward and backward of one model size with full gradients and without optimizer, and compares
// them with the time of its matrix products alone.
//
// usage: bench_train_step [SIZE=60m] [ROWS=8] [LENGTH=256] [fp32|bf16] [STEPS=6] [checkpointing]
//
// Every figure is the minimum over the repetitions, because other programs may share the machine.
#include <ATen/ATen.h>
#include <fmt/core.h>
#include <sys/resource.h>

#include <array>
#include <functional>

#include "bench/kernels/clock.h"
#include "kernels/attention.h"
#include "kernels/cross_entropy.h"
#include "kernels/matmul.h"
#include "kernels/rms_norm.h"
#include "kernels/swiglu.h"
#include "models/causal_lm.h"
#include "models/gradient_collector.h"

namespace galore {
namespace {

struct Setting {
  ModelConfig config;
  int64_t rows = 8, length = 256, steps = 6;
  ModelOptions options;
  int64_t tokens() const { return rows * length; }
};

double seconds(const std::function<void()>& work) {
  const double begin = bench::now();
  work();
  return bench::now() - begin;
}

double least_seconds(const std::function<void()>& work, int64_t repetitions) {
  work();
  double least = seconds(work);
  for (int64_t i = 1; i < repetitions; ++i) least = std::min(least, seconds(work));
  return least;
}

at::Tensor random(at::IntArrayRef shape, const Setting& setting) {
  return at::randn(shape).to(setting.options.compute_dtype);
}

// Returns the seconds of forward, input gradient and weight gradient of one linear layer.
double linear_seconds(const Setting& setting, int64_t tokens, int64_t inputs, int64_t outputs) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const at::Tensor x = random({tokens, inputs}, setting), w = random({outputs, inputs}, setting);
  const at::Tensor y = random({tokens, outputs}, setting), dw = random({outputs, inputs}, setting);
  const at::Tensor dx = at::empty_like(x), out = at::empty_like(y);
  return least_seconds([&] { product_x_wt(out, x, w, Write::replace, workspace); }, 5) +
         least_seconds([&] { product_x_w(dx, y, w, Write::replace, workspace); }, 5) +
         least_seconds([&] { product_dyt_x(dw, y, x, Write::replace); }, 5);
}

double product_seconds(const Setting& setting) {
  const ModelConfig& c = setting.config;
  const int64_t tokens = setting.tokens(), hidden = c.hidden_size, inner = c.intermediate_size;
  const double layer = 4 * linear_seconds(setting, tokens, hidden, hidden) +
                       2 * linear_seconds(setting, tokens, hidden, inner) +
                       linear_seconds(setting, tokens, inner, hidden);
  const int64_t chunk = std::min<int64_t>(tokens, 512);
  const double head = linear_seconds(setting, chunk, hidden, c.vocab_size) * double(tokens) / double(chunk);
  const double layers = layer * double(c.num_hidden_layers);
  fmt::print("matrix products: layers {:.4f} s, head {:.4f} s\n", layers, head);
  return layers + head;
}

void print_elementwise(const Setting& setting) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const ModelConfig& c = setting.config;
  const int64_t tokens = setting.tokens(), layers = c.num_hidden_layers;
  const at::Tensor x = random({tokens, c.hidden_size}, setting), y = at::empty_like(x),
                   dx = at::empty_like(x);
  const at::Tensor rms = at::empty({tokens}), weight = at::ones({c.hidden_size}),
                   sum = at::empty_like(weight);
  const at::Tensor gate = random({tokens, c.intermediate_size}, setting), up = gate.clone(),
                   out = gate.clone();
  const std::array<int64_t, 4> heads{setting.rows, setting.length, c.num_attention_heads, c.head_dim};
  const at::Tensor q = random(heads, setting), k = random(heads, setting), v = random(heads, setting);
  const AttentionTensors attention_tensors{q, k, v, at::empty_like(q),
                                           at::empty({setting.rows, c.num_attention_heads, setting.length})};
  const AttentionGradients gradients{at::empty_like(q), at::empty_like(q), at::empty_like(q)};
  const at::Tensor logits = random({512, c.vocab_size}, setting), losses = at::empty({512}, at::kDouble);
  const at::Tensor labels = at::randint(c.vocab_size, {512}, at::kLong);
  const auto print = [&](const char* name, int64_t times, const std::function<void()>& work) {
    fmt::print("  {:<22} {:.4f} s per step\n", name, least_seconds(work, 5) * double(times));
  };
  print("rms_norm", 4 * layers, [&] { rms_norm(y, rms, x, weight, 1e-6); });
  print("rms_norm_backward", 2 * layers, [&] { rms_norm_backward(dx, sum, y, {x, rms, weight}, workspace); });
  print("swiglu", layers, [&] { swiglu(out, gate, up); });
  print("swiglu_backward", layers, [&] { swiglu_backward(gate, up, out); });
  print("attention", layers, [&] { attention(attention_tensors, workspace); });
  print("attention_backward", layers,
        [&] { attention_backward(gradients, q, attention_tensors, workspace); });
  print("cross_entropy", tokens / 512, [&] { cross_entropy(losses, logits, labels, 1e-3); });
}

int64_t minor_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

double step_seconds(const Setting& setting) {
  Ledger ledger(at::kCPU);
  const auto model = make_causal_lm(setting.config, setting.options, ledger);
  model->initialize(1);
  GradientCollector collector(model->parameters(), ledger, setting.options.compute_dtype);
  const at::Tensor ids = at::randint(setting.config.vocab_size, {setting.rows, setting.length}, at::kLong);
  LossSum loss;
  const auto step = [&] {
    collector.clear();
    loss = model->train_step(ids, ids, 1.0 / double(setting.tokens()));
  };
  const double first = seconds(step);
  double least = seconds(step);
  const int64_t faults = minor_faults(), bytes = ledger.total();
  for (int64_t i = 0; i < setting.steps; ++i) least = std::min(least, seconds(step));
  fmt::print(
      "loss {:.4f}; first step {:.3f} s; ledger {} (+{} in steady steps); minor faults {:.1f} per step\n",
      loss.mean(), first, format_bytes(double(ledger.total())), ledger.total() - bytes,
      double(minor_faults() - faults) / double(setting.steps));
  return least;
}

int run(int count, char** arguments) {
  const auto argument = [&](int i, const char* other) {
    return std::string(i < count ? arguments[i] : other);
  };
  Setting setting;
  setting.config = model_config_for_size(argument(1, "60m"));
  setting.rows = std::stoll(argument(2, "8"));
  setting.length = std::stoll(argument(3, "256"));
  if (argument(4, "fp32") == "bf16") {
    setting.options.weights_dtype = setting.options.compute_dtype = at::kBFloat16;
  }
  setting.steps = std::stoll(argument(5, "6"));
  setting.options.gradient_checkpointing = argument(6, "") == "checkpointing";
  const double products = product_seconds(setting), step = step_seconds(setting);
  fmt::print("step {:.4f} s, {:.0f} tokens/s; products alone {:.4f} s, {:.1f} % of the step\n", step,
             double(setting.tokens()) / step, products, 100 * products / step);
  print_elementwise(setting);
  return 0;
}

}  // namespace
}  // namespace galore

int main(int count, char** arguments) { return galore::run(count, arguments); }
