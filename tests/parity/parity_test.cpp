// Compares every architecture with transformers 4.57 or 5: loss, logits, every gradient and greedy generation
// of the checkpoints that make_vectors.py froze.
#include <gtest/gtest.h>

#include "checkpoint/hugging_face.h"
#include "checkpoint/safetensors.h"
#include "kernels/activation.h"
#include "models/causal_lm.h"
#include "models/gradient_collector.h"

namespace galore {
namespace {

double relative_difference(const at::Tensor& given, const at::Tensor& expected) {
  const at::Tensor a = given.to(at::kDouble), b = expected.to(at::kDouble);
  const double size = b.norm().item<double>();  // 0: an expert that no token chose
  return (a - b).norm().item<double>() / (size > 0 ? size : 1);
}

class Parity : public testing::TestWithParam<std::string> {
 protected:
  Parity()
      : folder_(Path(GALORE_PARITY_DATA) / GetParam()),
        expected_(folder_ / "expected.safetensors"),
        ledger_(at::kCPU) {}

  std::unique_ptr<CausalLM> model(bool checkpointing) {
    ModelOptions options;
    options.gradient_checkpointing = checkpointing;
    auto model = make_causal_lm(read_model_config(folder_), options, ledger_);
    load_weights(folder_, model->parameters());
    return model;
  }
  double expected_loss() { return expected_.read("loss").item<float>(); }

  Path folder_;
  SafetensorsReader expected_;
  Ledger ledger_;
};

// Both sides round each of some thousand fp32 operations once, in a different order, so they differ by about
// 1e-6.
TEST_P(Parity, LossAndGradients) {
  for (const bool checkpointing : {false, true}) {
    const auto given = model(checkpointing);
    GradientCollector gradients(given->parameters(), ledger_, at::kFloat);
    const auto num_tokens = expected_.read("num_tokens").item<int64_t>();
    const LossSum loss = given->train_step(expected_.read("ids"), expected_.read("labels"),
                                           1.0 / static_cast<double>(num_tokens));
    EXPECT_EQ(loss.num_tokens, num_tokens);
    EXPECT_NEAR(loss.mean() / expected_loss(), 1, 1e-5);
    for (const Parameter* parameter : given->parameters()) {
      const FullGradientSink& sink = gradients[parameter->name];
      EXPECT_EQ(sink.uses_done(), parameter->uses) << parameter->name;
      const at::Tensor expected = expected_.read("gradient/" + parameter->name);
      EXPECT_LT(relative_difference(sink.gradient(), expected), 1e-4) << parameter->name;
    }
  }
}

TEST_P(Parity, LogitsAndEvaluation) {
  const auto given = model(false);
  const at::Tensor ids = expected_.read("ids");
  EXPECT_LT(relative_difference(given->logits(ids), expected_.read("logits")), 1e-5);
  const LossSum loss = given->evaluate(ids, expected_.read("labels"));
  EXPECT_NEAR(loss.mean() / expected_loss(), 1, 1e-5);
}

TEST_P(Parity, GreedyGeneration) {
  const auto given = model(false);
  const at::Tensor continuation = expected_.read("continuation");
  const auto cache = given->new_cache(64);
  at::Tensor next = expected_.read("prompt");
  for (int64_t i = 0; i < continuation.numel(); ++i) {
    const at::Tensor logits = given->next_logits(next, *cache);
    ASSERT_EQ(logits.numel(), given->config().vocab_size);
    next = logits.argmax().view({1});
    EXPECT_EQ(next.item<int64_t>(), continuation[i].item<int64_t>()) << "new token " << i;
  }
}

TEST_P(Parity, PromptInPiecesGivesTheSameLogits) {
  const auto given = model(false);
  const at::Tensor prompt = expected_.read("prompt");
  const auto whole = given->new_cache(16), pieces = given->new_cache(16);
  const at::Tensor expected = given->next_logits(prompt, *whole);
  given->next_logits(prompt.narrow(0, 0, 3), *pieces);
  const at::Tensor again = given->next_logits(prompt.narrow(0, 3, prompt.numel() - 3), *pieces);
  EXPECT_EQ(pieces->length(), prompt.numel());
  EXPECT_LT(relative_difference(again, expected), 1e-5);
}

// transformers' formulas cancel for large negative x, so its values are exact to some 1e-7 of x.
TEST(ParityOfActivations, ValuesAndSlopes) {
  const SafetensorsReader expected(Path(GALORE_PARITY_DATA) / "activations.safetensors");
  const at::Tensor x = expected.read("x"), ones = at::ones_like(x);
  size_t checked = 0;
  for (const TensorInfo& info : expected.tensors()) {
    if (!info.name.starts_with("value/")) continue;
    const std::string name = info.name.substr(6);
    const Activation* f = find_activation(name);
    ASSERT_NE(f, nullptr) << name;
    EXPECT_TRUE(f->value(x).allclose(expected.read(info.name), 1e-5, 5e-6)) << name;
    EXPECT_TRUE(f->gradient(ones, x).allclose(expected.read("slope/" + name), 1e-5, 2e-5)) << name;
    ++checked;
  }
  EXPECT_EQ(checked, activation_names().size());
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Parity,
    testing::Values("qwen3_moe", "qwen3_moe_balanced", "qwen3_moe_idle", "olmo2", "olmo2_tied_biases",
                    "smollm3", "smollm3_windows", "granite", "ernie4_5", "ernie4_5_biases_untied", "phi3",
                    "phi3_longrope", "phi3_partial_window", "gemma2", "gemma2_without_caps", "gemma3_text",
                    "gemma3_text_scaled", "gpt_neox", "gpt_neox_sequential", "olmo3", "olmo3_yarn",
                    "gpt2_scores", "gpt2_without_scale", "llama_rope_at_the_top", "gated_mish", "plain_relu6",
                    "plain", "grouped_tied", "biases", "wide_heads", "linear", "dynamic", "llama3", "yarn",
                    "yarn_mscale", "padded", "mistral", "mistral_wide_heads", "mistral_float16", "qwen2",
                    "qwen2_tied_bfloat16", "qwen2_windows", "qwen2_yarn_shards", "qwen3", "qwen3_biases_tied",
                    "qwen3_windows", "gpt2", "gpt2_untied_gelu", "gpt2_bfloat16_shards"),
    [](const auto& info) { return info.param; });

}  // namespace
}  // namespace galore
