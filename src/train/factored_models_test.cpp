// Runs of models with factors in place of matrices: resuming, files, the memory plan, published sizes.
#include <ATen/ATen.h>

#include <algorithm>

#include "adapters/adapter_kind.h"
#include "checkpoint/layer_choice.h"
#include "models/causal_lm.h"
#include "train/test_options.h"
#include "train/test_run.h"

namespace galore {
namespace {

const std::vector<std::pair<std::string, std::string>> kFactoredKinds{
    {"low_rank", "r=8"}, {"cola", "r=8"}, {"sltrain", "r=4,alpha=8,density=0.1"}};

class FactoredModels : public TestRun {
 protected:
  static Settings factored(const std::string& kind, const std::string& args, const Settings& more = {}) {
    Settings settings{"adapter=" + kind, "adapter_args=" + args, "optim=adamw_torch", "optim_args="};
    settings.insert(settings.end(), more.begin(), more.end());
    return settings;
  }
};

TEST_F(FactoredModels, LearnAndResumeToTheBitInBothDrivers) {
  for (const auto& [kind, args] : kFactoredKinds) {
    std::string of_whole;
    for (const char* layerwise : {"false", "true"}) {
      const Settings same = factored(kind, args,
                                     {std::string("optim_layerwise=") + layerwise, "save_steps=10",
                                      "max_steps=20", "overwrite_output_dir=true"});
      Settings whole = same, resumed = same;
      whole.push_back(output("whole"));
      resumed.push_back(output("resumed"));
      resumed.push_back("resume_from_checkpoint=" + (folder_ / "whole" / "checkpoint-10").string());
      train(whole);
      const auto steps = events("whole", "step");
      EXPECT_LT(steps.back().at("loss").get<double>(), steps.front().at("loss").get<double>() - 0.3) << kind;
      train(resumed);
      EXPECT_EQ(weights("whole"), weights("resumed")) << kind << layerwise;
      EXPECT_EQ(file_text(folder_ / "whole/checkpoint-20/optimizer.safetensors"),
                file_text(folder_ / "resumed/checkpoint-20/optimizer.safetensors"))
          << kind << layerwise;
      if (of_whole.empty()) of_whole = weights("whole");
      EXPECT_EQ(weights("whole"), of_whole) << kind;
    }
  }
}

TEST_F(FactoredModels, GradientCheckpointingGivesTheSameBits) {
  for (const auto& [kind, args] : kFactoredKinds) {
    train(factored(kind, args, {output("kept"), "max_steps=2", "overwrite_output_dir=true"}));
    train(factored(
        kind, args,
        {output("again"), "max_steps=2", "overwrite_output_dir=true", "gradient_checkpointing=true"}));
    EXPECT_EQ(weights("kept"), weights("again")) << kind;
  }
}

// The directory says which layers the model has, so that it is read without options.
TEST_F(FactoredModels, ReadTheirOwnDirectories) {
  const at::Tensor ids = at::arange(16, at::kLong).view({1, 16});
  for (const auto& [kind, args] : kFactoredKinds) {
    train(factored(kind, args, {output("model"), "max_steps=2", "overwrite_output_dir=true"}));
    const std::string directory = (folder_ / "model").string();
    ModelSource source;
    source.model_name_or_path = directory;
    resolve_base_model(source);
    EXPECT_EQ(source.adapter, kind);
    const RunObjects run = build_model(model_config_of(source), model_options(source, "cpu"), at::kCPU);
    set_weights(*run.model, source, 3);
    const RunObjects same = build({"config_name=", "model_name_or_path=" + directory});
    const auto logits_of = [&](const RunObjects& objects) {
      return as_causal_lm(*objects.model, "test").logits(ids);
    };
    const at::Tensor logits = logits_of(run);
    EXPECT_TRUE(at::equal(logits, logits_of(same))) << kind;
    EXPECT_FALSE(at::equal(logits, logits_of(build(factored(kind, args))))) << "the run trained it";
    EXPECT_TRUE(contains(message_of([&] {
                           source.adapter = "lora";
                           resolve_base_model(source);
                         }),
                         kind));
  }
  train({output("model"), "max_steps=1", "overwrite_output_dir=true", "optim=adamw_torch", "optim_args="});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "model" / kLayerChoiceName)) << "a plain model";
}

TEST_F(FactoredModels, ThePlanIsWhatIsAllocated) {
  for (const auto& [kind, args] : kFactoredKinds)
    for (const char* bits : {"bf16=false", "bf16=true"}) expect_plan(factored(kind, args, {bits}), 2);
}

TEST_F(FactoredModels, NameWhatTheyDoNotTake) {
  const auto refusal = [&](const std::string& args) {
    return message_of([&] { build(factored("low_rank", args)); });
  };
  EXPECT_TRUE(contains(refusal("r=99"), "at most"));
  EXPECT_TRUE(contains(refusal("r=2,target_modules=up_proj,z_proj"), "z_proj"));
  EXPECT_TRUE(contains(refusal("rank=2"), "rank"));
}

// The sizes that the configurations of SLTrain's paper (arXiv 2406.02214) have, in millions of parameters,
// millions of sparse values, and 10^9 bytes with bf16 weights, bf16 moments and int64 positions.
TEST(SlTrainModels, HaveTheirPublishedSizes) {
  struct Published {
    const char *size, *args;
    double parameters, values, bytes;
  };
  for (const Published& row : {Published{"60m", "r=128,density=0.03", 43.5, 0.76, 0.267},
                               Published{"130m", "r=256,density=0.03", 96.5, 2.55, 0.600},
                               Published{"350m", "r=256,density=0.03", 194.3, 9.07, 1.238},
                               Published{"1b", "r=512,density=0.03", 645.5, 36.2, 4.163},
                               Published{"7b", "r=1024,density=0.05", 3144.7, 323.8, 21.46}}) {
    ModelOptions options;
    options.adapter = adapter_kind("sltrain").make(parse_adapter_args(row.args));
    Ledger ledger(at::kMeta);
    const auto model = make_causal_lm(model_config_for_size(row.size), options, ledger);
    double parameters = 0, values = 0;
    for (const Parameter* parameter : model->parameters()) {
      const auto count = static_cast<double>(parameter->numel());
      parameters += count;
      if (parameter->name.ends_with("sparse_values")) values += count;
    }
    // The published figures are rounded to their last digit.
    EXPECT_NEAR(parameters / 1e6, row.parameters, 0.05) << row.size;
    EXPECT_NEAR(values / 1e6, row.values, row.values < 10 ? 0.005 : 0.05) << row.size;
    EXPECT_NEAR((6 * parameters + 8 * values) / 1e9, row.bytes, row.bytes < 10 ? 5e-4 : 5e-3) << row.size;
  }
}

}  // namespace
}  // namespace galore
