// Runs of PRILoRA: ranks that rise, pruning and regrowth, PEFT's files, resuming.
#include <ATen/ATen.h>

#include "adapters/adapter_kind.h"
#include "checkpoint/safetensors.h"
#include "models/causal_lm.h"
#include "train/test_options.h"
#include "train/test_run.h"

namespace galore {
namespace {

class PriLoraRuns : public TestRun {
 protected:
  PriLoraRuns() { TestRun::train({output("base"), "max_steps=2", "optim=adamw_torch", "optim_args="}); }
  Settings prilora(const std::string& run, const Settings& more = {}) const {
    return joined(
        {"config_name=", "model_name_or_path=" + (folder_ / "base").string(), "adapter=prilora",
         "adapter_args=r_start=2,r_end=6,prune_steps=4,target_modules=up_proj,q_proj", "optim=adamw_torch",
         "optim_args=", "max_steps=8", "overwrite_output_dir=true", "save_steps=1", output(run)},
        more);
  }
  at::Tensor factor(const std::string& run, int64_t step, const std::string& layer) const {
    const Path file = folder_ / run / ("checkpoint-" + std::to_string(step)) / "adapter_model.safetensors";
    return SafetensorsReader(file).read("base_model.model.model.layers." + layer + ".lora_A.weight");
  }
};

TEST_F(PriLoraRuns, PruneEachRowAndLetItGrowAgain) {
  train(prilora("run"));
  const auto zeros = [&](int64_t step) { return (factor("run", step, "1.mlp.up_proj") == 0).sum(1); };
  EXPECT_EQ(factor("run", 1, "0.mlp.up_proj").size(0), 2);
  EXPECT_EQ(factor("run", 1, "1.mlp.up_proj").size(0), 6);
  EXPECT_TRUE(at::equal(zeros(4), at::full({6}, 16))) << "half of 32 inputs";
  EXPECT_TRUE(at::equal(zeros(8), at::full({6}, 16)));
  EXPECT_EQ(zeros(5).sum().item<int64_t>(), 0) << "zeroed elements are trained";
}

TEST_F(PriLoraRuns, ResumeToTheBitAcrossPruningsInBothDrivers) {
  for (const char* layerwise : {"optim_layerwise=false", "optim_layerwise=true"}) {
    train(prilora("whole", {layerwise}));
    train(prilora("resumed",
                  {layerwise, "resume_from_checkpoint=" + (folder_ / "whole/checkpoint-3").string()}));
    for (const char* file : {"adapter_model.safetensors", "optimizer.safetensors"})
      EXPECT_EQ(file_text(folder_ / "whole/checkpoint-8" / file),
                file_text(folder_ / "resumed/checkpoint-8" / file))
          << file << layerwise;
  }
}

// PEFT's files describe it as LoRA with a rank and an alpha for each module.
TEST_F(PriLoraRuns, AreReadAsLora) {
  train(prilora("run"));
  const auto logits = [&](const Settings& settings) {
    const RunObjects run = build(settings);
    return as_causal_lm(*run.model, "test").logits(at::arange(16, at::kLong).view({1, 16}));
  };
  const std::string from = "model_name_or_path=" + (folder_ / "base").string();
  const std::string adapter = "adapter_name_or_path=" + (folder_ / "run").string();
  const at::Tensor read = logits({"config_name=", from, adapter});
  EXPECT_TRUE(at::equal(read, logits({"config_name=", from, adapter, "adapter=prilora"})));
  EXPECT_FALSE(at::equal(read, logits({"config_name=", from})));
}

TEST_F(PriLoraRuns, ThePlanIsWhatIsAllocated) { expect_plan(prilora("plan"), 2); }

TEST(PriLoraRanks, RiseWithTheLayer) {
  for (const auto& [size, last] : {std::pair{"130m", 11}, std::pair{"350m", 23}}) {
    ModelOptions options;
    options.adapter = adapter_kind("prilora").make(parse_adapter_args("r_start=4,r_end=12"));
    Ledger ledger(at::kMeta);
    const auto model = make_causal_lm(model_config_for_size(size), options, ledger);
    for (const Parameter* parameter : model->parameters()) {
      if (!parameter->name.ends_with("up_proj.lora_A.weight")) continue;
      const double exact = 4 + 8.0 * static_cast<double>(parameter->layer) / last;
      EXPECT_EQ(parameter->sizes()[0], std::llround(exact)) << parameter->name;
    }
  }
}

}  // namespace
}  // namespace galore
