#include "heads/language_head.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/errors.h"
#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

class SumSink : public GradientSink {
 public:
  void add_product(const at::Tensor& output_gradient, const at::Tensor& input) override {
    const at::Tensor product = output_gradient.t().mm(input);
    sum = sum.defined() ? sum + product : product;
  }
  void add_rows(const at::Tensor&, const at::Tensor&) override { FAIL(); }
  void add(const at::Tensor&) override { FAIL(); }
  void use_done() override { ++uses; }
  at::Tensor sum;
  int uses = 0;
};

struct Result {
  LossSum loss;
  at::Tensor hidden_gradient, weight_gradient;
};

Result train_in_chunks(int64_t tokens_of_a_chunk, const LogitsSize& size = {}) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  Parameter weight{.name = "head", .role = Role::head, .value = random({53, 16}, at::kFloat, 1)};
  SumSink sink;
  weight.sink = &sink;
  LanguageHead head(weight, tokens_of_a_chunk * 53 * 4, size);
  const Pass pass{workspace, at::kFloat, 3, 10};
  const at::Tensor hidden = random({30, 16}, at::kFloat, 2), gradient = at::empty_like(hidden);
  at::Tensor labels = at::arange(30, at::kLong).view({3, 10});
  labels[0][7] = -100;
  const LossSum loss = head.train(pass, hidden, {labels, 29}, 0.5, gradient);
  EXPECT_EQ(sink.uses, 1);
  EXPECT_EQ(workspace.get(Owner::workspace, "head.logits", {1}, at::kFloat).storage().nbytes(),
            static_cast<size_t>(std::min<int64_t>(tokens_of_a_chunk, 30)) * 53 * 4);
  return {loss, gradient, sink.sum};
}

// The products of a chunk have other shapes and so other orders of summation.
TEST(LanguageHead, ChunksGiveWhatTheWholeGives) {
  const Result whole = train_in_chunks(30);
  EXPECT_EQ(whole.loss.num_tokens, 29);
  for (const int64_t tokens : {1, 7, 29, 100}) {
    const Result chunked = train_in_chunks(tokens);
    EXPECT_EQ(chunked.loss.num_tokens, 29);
    EXPECT_NEAR(chunked.loss.loss / whole.loss.loss, 1, 1e-6);
    EXPECT_LT(relative_difference(chunked.hidden_gradient, whole.hidden_gradient), 2e-6);
    EXPECT_LT(relative_difference(chunked.weight_gradient, whole.weight_gradient), 2e-6);
  }
}

// The gradient in a direction is compared with a difference quotient in fp64, which is exact to 1e-9.
TEST(LanguageHead, DividesAndCapsLogits) {
  const LogitsSize size{0.5, 3};
  const Result plain = train_in_chunks(30), capped = train_in_chunks(30, size),
               chunked = train_in_chunks(7, size);
  EXPECT_GT(std::abs(capped.loss.loss / plain.loss.loss - 1), 0.01);
  EXPECT_NEAR(chunked.loss.loss / capped.loss.loss, 1, 1e-6);
  EXPECT_LT(relative_difference(chunked.hidden_gradient, capped.hidden_gradient), 2e-6);
  EXPECT_LT(relative_difference(chunked.weight_gradient, capped.weight_gradient), 2e-6);
  const at::Tensor weight = random({53, 16}, at::kFloat, 1).to(at::kDouble);
  at::Tensor labels = at::arange(30, at::kLong);
  labels[7] = -100;
  const auto loss = [&](const at::Tensor& h) {
    const at::Tensor logits = (h.mm(weight.t()) / size.divisor / size.soft_cap).tanh() * size.soft_cap;
    return at::nll_loss(logits.log_softmax(1), labels, {}, at::Reduction::Sum, -100).item<double>();
  };
  const at::Tensor x = random({30, 16}, at::kFloat, 2).to(at::kDouble), u = random({30, 16}, at::kDouble, 5);
  EXPECT_NEAR(loss(x) / capped.loss.loss, 1, 1e-6);
  const double slope = (loss(x + 1e-5 * u) - loss(x - 1e-5 * u)) / 2e-5;
  EXPECT_NEAR((capped.hidden_gradient.to(at::kDouble) * u).sum().item<double>() / (0.5 * slope), 1, 1e-4);
}

// This is LLaMA-7B's head in bf16. Its fp32 copy would take 500 MiB.
TEST(LanguageHead, DoesNotCopyALargeWeight) {
  Ledger ledger(at::kMeta);
  Workspace workspace(ledger);
  const auto on_meta = [](at::ScalarType dtype) { return at::TensorOptions(dtype).device(at::kMeta); };
  Parameter weight{
      .name = "head", .role = Role::head, .value = at::empty({32000, 4096}, on_meta(at::kBFloat16))};
  LanguageHead head(weight);
  const Pass pass{workspace, at::kFloat, 2, 1024};
  const at::Tensor hidden = at::empty({2048, 4096}, on_meta(at::kFloat));
  head.train(pass, hidden, {at::empty({2, 1024}, on_meta(at::kLong)), 2048}, 1, at::empty_like(hidden));
  EXPECT_LT(ledger.total(),
            int64_t{(64 + 16 + 1)} << 20);  // a chunk of logits, a part of the weight, the losses
}

TEST(LanguageHead, RefusesLabelsThatAreNoTokens) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  Parameter weight{.name = "head", .role = Role::head, .value = random({53, 16}, at::kFloat, 1)};
  const LanguageHead head(weight);
  const Pass pass{workspace, at::kFloat, 1, 2};
  const at::Tensor hidden = random({2, 16}, at::kFloat, 2);
  for (const int64_t label : {53, -1})
    EXPECT_THROW(head.evaluate(pass, hidden, {at::full({1, 2}, label, at::kLong), 2}, nullptr), Error);
  EXPECT_THROW(head.evaluate(pass, hidden, {at::zeros({1, 1}, at::kLong), 1}, nullptr), Error);
}

}  // namespace
}  // namespace galore
