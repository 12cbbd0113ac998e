// The signature test trains a tiny LLaMA and a tiny GPT-2 for 30 updates on one thread. One hash stands for
// every loss and every weight. A change that only moves code keeps all hashes. A change that alters results
// on purpose replaces them and explains why in its commit.
//
// Processors with other instructions, and libraries that choose kernels by vendor, round differently. The
// table therefore has rows by kernel level (kernels/cpu_features.h), and the hash is compared only if the
// level has a row. On every level, losses and the norm of all weights are compared with one set of numbers,
// within the distance that rounding can cause.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/fnv1a.h"
#include "core/random.h"
#include "kernels/cpu_features.h"
#include "models/causal_lm.h"
#include "optim/optimizer.h"

namespace galore {
namespace {

constexpr int64_t kUpdates = 30, kMicroBatches = 2, kBatchRows = 2, kLength = 24;

struct Case {
  const char *model_type, *optim;
  double first_loss, last_loss, weight_norm;  // expected on every level
  int64_t planned_bytes;  // planned for both drivers, which keep all gradients with accumulation
};

// Both drivers must give the same losses and weights to the bit.
constexpr Case kCases[] = {
    {"llama", "adamw_torch", 4.266084, 0.964447, 23.526668, 772992},
    {"llama", "galore_adamw", 4.266084, 1.227499, 21.624321, 720672},
    {"llama", "galore_adamw_8bit", 4.266084, 1.226102, 21.625787, 720672},
    {"llama", "fira_adamw", 4.266084, 1.027966, 21.972795, 704544},
    {"gpt2", "adamw_torch", 4.310832, 1.187738, 20.572290, 766400},
    {"gpt2", "galore_adamw", 4.310832, 1.643460, 19.228027, 730080},
    {"gpt2", "galore_adamw_8bit", 4.310832, 1.643086, 19.229129, 730080},
    {"gpt2", "fira_adamw", 4.310832, 1.201656, 19.496353, 718560},
};

// The results that were measured on the named levels.
struct Row {
  std::vector<std::string> levels;
  uint64_t hashes[std::size(kCases)];

  bool has(const std::string& level) const {
    return std::find(levels.begin(), levels.end(), level) != levels.end();
  }
};
const std::vector<Row> kRows = {
    {{"avx512_bf16/highway-avx3/aten-avx512/amd", "avx512/highway-avx3/aten-avx512/amd"},
     {0xf6e5856f6ea4e948, 0xd541cf4519ca1b4e, 0xf04547fb4b1fb91f, 0x503b6575d4abe5bb, 0x6a58f38256278c14,
      0xe096b70eac6db715, 0x7195f41444255cc7, 0xde9efd0c679f124d}},
    {{"avx2/highway-avx2/aten-avx2/amd/mkl-avx2/onednn-avx2", "avx2/highway-avx2/aten-avx512/amd"},
     {0x61459bc106ee750e, 0xbf2dd366c54eb4ab, 0xbdbfef7bf8010d15, 0x1473afe275440b95, 0x5fbef435b0591c0a,
      0xd73b19ab1a9bc75d, 0x95cd051c1eeda8b0, 0x4e14ec625a5a055a}},
};

ModelConfig tiny(const std::string& model_type) {
  ModelConfig config;
  config.model_type = model_type;
  const bool gpt2 = model_type == "gpt2";
  config.hidden_act = gpt2 ? "gelu_new" : "silu";
  config.tie_word_embeddings = gpt2;
  config.vocab_size = 61;
  config.hidden_size = 32;
  config.intermediate_size = 80;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = gpt2 ? 4 : 2;
  config.head_dim = 8;
  config.max_position_embeddings = 64;
  config.initializer_range = 0.1;
  if (gpt2) config.embd_pdrop = config.resid_pdrop = config.attn_pdrop = 0.1;
  return config;
}

// Each token follows from the token before, with a few surprises, so that the model can learn something.
at::Tensor ids_of(int64_t micro_batch) {
  RandomStream random(3, "signature", "", static_cast<uint64_t>(micro_batch));
  at::Tensor ids = at::empty({kBatchRows, kLength}, at::kLong);
  int64_t token = 7;
  for (int64_t i = 0; i < ids.numel(); ++i) {
    ids.view(-1)[i] = token;
    token = random.uniform() < 0.9 ? (5 * token + 3) % 61 : static_cast<int64_t>(random.below(61));
  }
  return ids;
}

struct Signature {
  uint64_t hash = kFnv1aBasis;
  double first_loss = 0, last_loss = 0, weight_norm = 0;
  int64_t planned_bytes = 0;

  void add(const void* data, size_t bytes) {
    hash = fnv1a(std::string_view(static_cast<const char*>(data), bytes), hash);
  }
};

OptimizerOptions options_of(const std::string& optim, bool layerwise) {
  OptimizerOptions options;
  const bool projects = optim != "adamw_torch";
  options.settings = resolve_optimizer(optim, projects ? "rank=6,update_proj_gap=10" : "");
  options.layerwise = layerwise;
  options.weight_decay = 0.05;
  return options;
}

Signature train(const Case& one, bool layerwise, at::Device device = at::kCPU) {
  Ledger ledger(device);
  const auto model = make_causal_lm(tiny(one.model_type), {}, ledger);
  model->initialize(11);
  Workspace workspace(ledger);
  Optimizer optimizer(model->parameters(), options_of(one.optim, layerwise), workspace);
  Signature signature;
  const double scale = 1.0 / static_cast<double>(kMicroBatches * kBatchRows * (kLength - 1));
  for (int64_t update = 0; update < kUpdates; ++update) {
    optimizer.begin_update(0.01, kMicroBatches);
    double loss = 0;
    for (int64_t i = 0; i < kMicroBatches; ++i) {
      const at::Tensor ids = ids_of(update * kMicroBatches + i).to(device);
      model->set_dropout({5, update, i * kBatchRows});
      loss += model->train_step(ids, ids, scale).loss * scale;
    }
    optimizer.finish_update();
    signature.add(&loss, sizeof loss);
    if (update == 0) signature.first_loss = loss;
    signature.last_loss = loss;
  }
  signature.planned_bytes = ledger.total();
  if (device.is_meta()) return signature;
  for (const Parameter* parameter : model->parameters()) {
    const at::Tensor value = parameter->value.contiguous();
    signature.add(value.const_data_ptr(), value.nbytes());
    signature.weight_norm += value.to(at::kDouble).square().sum().item<double>();
  }
  signature.weight_norm = std::sqrt(signature.weight_norm);
  return signature;
}

class SignatureOf : public testing::TestWithParam<size_t> {
 protected:
  void SetUp() override { at::set_num_threads(1); }
  const Case& one() const { return kCases[GetParam()]; }
};

std::string name_of(const testing::TestParamInfo<size_t>& info) {
  return std::string(kCases[info.param].model_type) + "_" + kCases[info.param].optim;
}

INSTANTIATE_TEST_SUITE_P(Cases, SignatureOf, testing::Range(size_t{0}, std::size(kCases)), name_of);

TEST_P(SignatureOf, IsThatOfThisKernelLevel) {
  const Signature whole = train(one(), false);
  const auto row =
      std::find_if(kRows.begin(), kRows.end(), [](const Row& known) { return known.has(kernel_level()); });
  if (row != kRows.end()) {
    EXPECT_EQ(whole.hash, row->hashes[GetParam()]);
  }
  // After a deliberate change, or for a level without a row, copy the row from this output.
  std::printf("%s 0x%016lx: %.6f, %.6f, %.6f\n", kernel_level().c_str(), whole.hash, whole.first_loss,
              whole.last_loss, whole.weight_norm);
}

TEST_P(SignatureOf, IsOneForBothDrivers) { EXPECT_EQ(train(one(), true).hash, train(one(), false).hash); }

TEST_P(SignatureOf, IsNearTheNumbersOfAllKernelLevels) {
  const Signature whole = train(one(), false);
  // The tolerance covers rounding alone, amplified by 30 updates. AVX2 and AVX-512 differ by less than 1e-6
  // on an EPYC; libraries may sum in another order on processors of another vendor.
  constexpr double kRounding = 2e-3;
  EXPECT_NEAR(whole.first_loss, one().first_loss, 1e-5);
  EXPECT_NEAR(whole.last_loss, one().last_loss, kRounding * one().last_loss);
  EXPECT_NEAR(whole.weight_norm, one().weight_norm, kRounding * one().weight_norm);
}

TEST_P(SignatureOf, PlansTheSameBytes) {
  for (const bool layerwise : {false, true})
    EXPECT_EQ(train(one(), layerwise, at::kMeta).planned_bytes, one().planned_bytes);
}

}  // namespace
}  // namespace galore
