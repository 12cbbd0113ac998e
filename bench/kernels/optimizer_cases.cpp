// The kernels of an optimizer step, on a weight of a layer's MLP.
#include <ATen/ATen.h>
#include <fmt/core.h>

#include <memory>

#include "bench/kernels/kernel_case.h"
#include "kernels/adamw.h"
#include "kernels/apply_direction.h"
#include "kernels/blockwise_8bit.h"
#include "kernels/matmul.h"
#include "kernels/random_normal.h"

namespace galore::bench {
namespace {

using namespace kernels;

struct Weight {
  const char* model;
  int64_t rows, columns, rank;
  std::string size() const { return fmt::format("{} {}x{}", model, rows, columns); }
  std::string low_rank_size() const { return fmt::format("{} {}x{}", model, rows, rank); }
};
constexpr Weight kWeights[] = {{"130m", 2048, 768, 256}, {"7b", 11008, 4096, 1024}};
constexpr int64_t kBlockSize = 256;
constexpr AdamStep kStep{0.9, 0.999, 1e-8f, 1.1f};
constexpr double kRate = 1e-3;

Work adamw(int64_t count) {
  at::Tensor g = normal({count}), m = normal({count}), v = normal({count}).square_();
  Work work{24.0 * double(count), [=]() mutable { adamw_direction(kStep, g, m, v); },
            [=]() mutable { kernels::composed::adamw_direction(kStep, g, m, v); }};
  work.stream = Stream::in_place;
  return work;
}

Codes8 encoded(int64_t count, bool is_signed) {
  Codes8 codes{at::empty({count}, at::kByte), at::empty({(count + kBlockSize - 1) / kBlockSize}), kBlockSize,
               is_signed};
  const at::Tensor values = normal({count});
  encode_8bit(is_signed ? values : values.square(), codes);
  return codes;
}

// Both moments are read and written and the gradient too: 12 bytes per element, and 16 per block for the
// scales.
Work adamw_8bit(int64_t count) {
  at::Tensor g = normal({count});
  Codes8 m = encoded(count, true), v = encoded(count, false);
  Work work{(12 + 16.0 / kBlockSize) * double(count), [=]() mutable { adamw_8bit_direction(kStep, g, m, v); },
            [=]() mutable { kernels::composed::adamw_8bit_direction(kStep, g, m, v); }};
  work.stream = Stream::in_place;
  return work;
}

Work decode(int64_t count) {
  const Codes8 codes = encoded(count, true);
  at::Tensor out = at::empty({count});
  return {(5 + 4.0 / kBlockSize) * double(count), [=]() mutable { decode_8bit(codes, out); },
          [=]() mutable { kernels::composed::decode_8bit(codes, out); }};
}

Work encode(int64_t count) {
  Codes8 codes = encoded(count, true);
  const at::Tensor values = normal({count});
  return {(5 + 4.0 / kBlockSize) * double(count), [=]() mutable { encode_8bit(values, codes); },
          [=]() mutable { kernels::composed::encode_8bit(values, codes); }};
}

// A few operations with the same result: the bits below bf16 plus random bits carry into the upper bits.
void round_stochastic_composed(const at::Tensor& exact, at::Tensor& weight) {
  at::Tensor bits = exact.view(at::kInt);
  bits.add_(at::randint(0, 65536, bits.sizes(), bits.options())).bitwise_and_(-65536);
  weight.copy_(exact);
}

struct Writing {
  const char* name;
  at::ScalarType dtype;
  double decay;
  bool stochastic;
};
constexpr Writing kWritings[] = {{"apply_direction fp32", at::kFloat, 1, false},
                                 {"apply_direction fp32, decay", at::kFloat, 0.999, false},
                                 {"apply_direction bf16", at::kBFloat16, 1, false},
                                 {"apply_direction bf16 stochastic", at::kBFloat16, 1, true}};

Work apply(const Writing& writing, int64_t count) {
  at::Tensor weight = normal({count}, writing.dtype);
  const at::Tensor direction = normal({count});
  const auto stream = std::make_shared<RandomStream>(1, "bench");
  const WeightUpdate update{kRate, writing.decay, 1, writing.stochastic ? stream.get() : nullptr};
  const auto composed = [=]() mutable {
    if (writing.decay != 1) weight.mul_(writing.decay);
    if (writing.dtype == at::kFloat) {
      weight.add_(direction, -kRate);
    } else {
      at::Tensor exact = weight.to(at::kFloat).add_(direction, -kRate);
      writing.stochastic ? round_stochastic_composed(exact, weight) : void(weight.copy_(exact));
    }
  };
  return {(4 + 2 * double(weight.element_size())) * double(count),
          [=]() mutable {
            static_cast<void>(stream);  // the update points to the stream
            apply_direction(update, direction, weight);
          },
          composed};
}

Work round(bool stochastic, int64_t count) {
  const at::Tensor source = normal({count});
  at::Tensor weight = at::empty({count}, at::kBFloat16);
  const auto stream = std::make_shared<RandomStream>(1, "bench");
  const auto composed = [=]() mutable {
    if (!stochastic) return void(weight.copy_(source));
    at::Tensor exact = source.clone();
    round_stochastic_composed(exact, weight);
  };
  return {6.0 * double(count),
          [=]() mutable { round_into(source, weight, stochastic ? stream.get() : nullptr); }, composed};
}

Work squares(int64_t count) {
  const at::Tensor values = normal({count});
  Work work{4.0 * double(count), [=] { sum_squares(values); },
            [=] { (void)values.to(at::kDouble).square().sum().item<double>(); }};
  work.stream = Stream::read;
  return work;
}

Work normals(int64_t count, at::ScalarType dtype) {
  at::Tensor out = at::empty({count}, dtype);
  return {double(out.element_size() * count), [=] { random_normal(out, 0.02, RandomStream(1, "bench")); },
          [=]() mutable { out.normal_(0, 0.02); }};
}

// Computes W += N P^T, as the optimizer writes a lifted direction.
Work lift(const Weight& w) {
  const at::Tensor weight = normal({w.rows, w.columns}),
                   low_rank = normal({w.rows, w.rank}, at::kFloat, 1e-3), basis = normal({w.columns, w.rank});
  Work work{8.0 * double(weight.numel()) + 4.0 * double(low_rank.numel() + basis.numel()),
            [=] { matrix_product(weight, low_rank, basis.t(), Write::accumulate); },
            [=]() mutable { at::Tensor(weight).addmm_(low_rank, basis.t()); }};
  work.operations = 2.0 * double(weight.numel()) * double(w.rank);
  return work;
}

void add_moments(std::vector<KernelCase>& cases, const Weight& w) {
  const int64_t full = w.rows * w.columns, low_rank = w.rows * w.rank;
  const char* step = "six look-ups, three divisions and a root an element";
  cases.push_back({"adamw", w.size(), "", [=] { return adamw(full); }});
  cases.push_back({"adamw", w.low_rank_size(), "", [=] { return adamw(low_rank); }});
  cases.push_back({"adamw_8bit", w.size(), step, [=] { return adamw_8bit(full); }});
  cases.push_back({"adamw_8bit", w.low_rank_size(), step, [=] { return adamw_8bit(low_rank); }});
  cases.push_back({"decode_8bit", w.size(), "a look-up an element", [=] { return decode(full); }});
  cases.push_back(
      {"encode_8bit", w.size(), "two look-ups and a division an element", [=] { return encode(full); }});
}

void add_weights(std::vector<KernelCase>& cases, const Weight& w) {
  const int64_t full = w.rows * w.columns;
  const char* bits = "ten rounds of Philox for eight elements";
  for (const Writing& writing : kWritings)
    cases.push_back(
        {writing.name, w.size(), writing.stochastic ? bits : "", [=] { return apply(writing, full); }});
  cases.push_back({"round_into bf16", w.size(), "", [=] { return round(false, full); }});
  cases.push_back({"round_into bf16 stochastic", w.size(), bits, [=] { return round(true, full); }});
  cases.push_back({"sum_squares", w.size(), "", [=] { return squares(full); }});
  const char* normal_numbers = "Philox, logarithm, sine and cosine";
  cases.push_back(
      {"random_normal fp32", w.size(), normal_numbers, [=] { return normals(full, at::kFloat); }});
  cases.push_back(
      {"random_normal bf16", w.size(), normal_numbers, [=] { return normals(full, at::kBFloat16); }});
  cases.push_back(
      {"lift", fmt::format("{} rank {}", w.size(), w.rank), "a matrix product", [=] { return lift(w); }});
}

}  // namespace

std::vector<KernelCase> optimizer_cases() {
  std::vector<KernelCase> cases;
  for (const Weight& weight : kWeights) {
    add_moments(cases, weight);
    add_weights(cases, weight);
  }
  return cases;
}

}  // namespace galore::bench
