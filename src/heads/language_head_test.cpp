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

Result train_in_chunks(int64_t tokens_of_a_chunk) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  Parameter weight{.name = "head", .role = Role::head, .value = random({53, 16}, at::kFloat, 1)};
  SumSink sink;
  weight.sink = &sink;
  LanguageHead head(weight, tokens_of_a_chunk * 53 * 4);
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
