// Compressing a model by WeLore's rule, training its factors, and going back to matrices.
#include "train/compress.h"

#include <ATen/ATen.h>

#include "checkpoint/layer_choice.h"
#include "train/run_state.h"
#include "train/test_run.h"

namespace galore {
namespace {

int64_t rank_of(const Compression& choice, size_t i) { return choice.matrices.at(i).rank; }

TEST(Compression, OneThresholdCutsAllSpectra) {
  // Moved to 0..1 the values are 1, 0.5, 0.1, 0 and 1, 0.9, 0.8, 0.
  const std::vector<Spectrum> spectra{{"low", at::tensor({11.0f, 6.0f, 2.0f, 1.0f})},
                                      {"high", at::tensor({2.0f, 1.9f, 1.8f, 1.0f})}};
  CompressOptions options;
  options.min_ratio = 0;
  options.rank_reduction = 0.375;  // three of eight
  Compression choice = choose_ranks(spectra, options);
  EXPECT_EQ(choice.rank_reduction, 0.375);
  EXPECT_GT(choice.threshold, 0.1);
  EXPECT_LE(choice.threshold, 0.5);
  EXPECT_EQ(rank_of(choice, 0), 2);
  EXPECT_EQ(rank_of(choice, 1), 3);
  options.min_ratio = 0.4999;
  options.rank_reduction = 0.25;
  choice = choose_ranks(spectra, options);
  EXPECT_EQ(choice.rank_reduction, 0.25) << "matrices that stay as they are cut nothing";
  EXPECT_TRUE(choice.matrices[0].factored);
  EXPECT_FALSE(choice.matrices[1].factored);
  EXPECT_EQ(rank_of(choice, 1), 4);
  options.rank_reduction = 0.9;
  EXPECT_NE(message_of([&] { choose_ranks(spectra, options); }).find("at most 0.7500"), std::string::npos);
}

TEST(Compression, EqualValuesAreAllKept) {
  CompressOptions options;
  options.rank_reduction = 0.3;
  EXPECT_NE(message_of([&] {
              choose_ranks({{"one", at::ones({4})}}, options);
            }).find("at most 0.0000"),
            std::string::npos);
}

class Compressed : public TestRun {
 protected:
  Compressed() {
    TestRun::train({output("base"), "max_steps=3", "optim=adamw_torch", "optim_args="});
    source_.model_name_or_path = (folder_ / "base").string();
    plain_ = build_model(model_config_of(source_), model_options(source_, "cpu"), at::kCPU);
    set_weights(*plain_.model, source_, 1);
  }
  // Compresses the model into the folder "small".
  Compression compress(const CompressOptions& options) {
    const Compression choice = choose_ranks(spectra_of(*plain_.model, [](const std::string&) {}), options);
    const RunObjects small = compressed(*plain_.model, choice, options, model_options(source_, "cpu"));
    save_final_model(folder_ / "small", {*small.model, nullptr, nullptr, at::kFloat});
    return choice;
  }
  at::Tensor logits(const std::string& directory) const {
    const RunObjects run = build({"config_name=", "model_name_or_path=" + (folder_ / directory).string()});
    return as_causal_lm(*run.model, "test").logits(at::arange(16, at::kLong).view({1, 16}));
  }

  ModelSource source_;
  RunObjects plain_;
};

// Without a cut every matrix keeps its full rank, and the factors give the matrix back.
TEST_F(Compressed, FactorsOfFullRankComputeTheSame) {
  Compression all;
  for (const Spectrum& spectrum : spectra_of(*plain_.model, [](const std::string&) {}))
    all.matrices.push_back({spectrum.name, spectrum.values.numel(), spectrum.values.numel(), true});
  const RunObjects run = compressed(*plain_.model, all, {}, model_options(source_, "cpu"));
  save_final_model(folder_ / "small", {*run.model, nullptr, nullptr, at::kFloat});
  EXPECT_LT((logits("small") - logits("base")).abs().max().item<float>(), 1e-4f);
}

TEST_F(Compressed, FactorsAloneAreTrainedAndBecomeMatricesAgain) {
  CompressOptions options;
  options.rank_reduction = 0.4;
  options.train_norms = false;
  compress(options);
  const at::Tensor before = logits("small");
  EXPECT_FALSE(at::allclose(before, logits("base")));
  const Settings tuned{"config_name=",      "model_name_or_path=" + (folder_ / "small").string(),
                       "optim=adamw_torch", "optim_args=",
                       "max_steps=3",       output("tuned")};
  train(tuned);
  EXPECT_FALSE(at::equal(logits("tuned"), before));
  const SafetensorsReader old_weights(folder_ / "small/model.safetensors"),
      weights(folder_ / "tuned/model.safetensors");
  int64_t changed = 0;
  for (const TensorInfo& info : weights.tensors()) {
    const bool is_factor = info.name.find(".factor_") != std::string::npos;
    EXPECT_EQ(at::equal(weights.read(info.name), old_weights.read(info.name)), !is_factor) << info.name;
    changed += is_factor;
  }
  EXPECT_GT(changed, 0);
  ModelSource factors;
  factors.model_name_or_path = (folder_ / "tuned").string();
  resolve_base_model(factors);
  const RunObjects run = build_model(model_config_of(factors), model_options(factors, "cpu"), at::kCPU);
  set_weights(*run.model, factors, 1);
  merge_layers(factors, folder_ / "dense", *run.model);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "dense" / kLayerChoiceName));
  EXPECT_LT((logits("dense") - logits("tuned")).abs().max().item<float>(), 1e-4f);
}

}  // namespace
}  // namespace galore
