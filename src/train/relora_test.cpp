// Runs of ReLoRA: merging leaves the function as it is, moments are forgotten, and runs resume to the bit.
#include <ATen/ATen.h>

#include "adapters/adapted_layers.h"
#include "checkpoint/safetensors.h"
#include "models/causal_lm.h"
#include "train/test_options.h"
#include "train/test_run.h"

namespace galore {
namespace {

class ReLoraRuns : public TestRun {
 protected:
  static Settings relora(const std::string& more_args, const Settings& more = {}) {
    return joined(
        {"adapter=relora", "adapter_args=r=4,relora_steps=4" + more_args, "optim=adamw_torch",
         "optim_args=", "max_steps=12", "overwrite_output_dir=true", "lr_scheduler_type=jagged_cosine",
         "lr_scheduler_kwargs=cycle_length=4,restart_warmup_steps=1"},
        more);
  }
  at::Tensor tensor(const std::string& run, const std::string& file, const std::string& name) const {
    return SafetensorsReader(folder_ / run / file).read(name);
  }
};

constexpr const char* kModule = "model.layers.0.mlp.up_proj.";
const std::string kA = std::string(kModule) + "lora_A.weight", kB = std::string(kModule) + "lora_B.weight",
                  kW = std::string(kModule) + "weight";

TEST_F(ReLoraRuns, ResumeToTheBitAcrossMergesInBothDrivers) {
  for (const char* moments : {"reset", "random", "magnitude"})
    for (const char* driver : {"optim_layerwise=false", "optim_layerwise=true"}) {
      const Settings more{driver, "save_steps=3", "bf16=true"};
      train_and_resume(relora(std::string(",moments=") + moments, more), 3);
      for (const char* file : {"model.safetensors", "checkpoint-12/optimizer.safetensors"})
        expect_resumed(file, std::string(moments) + driver);
    }
}

TEST_F(ReLoraRuns, MergeIntoTheFrozenWeightAndForget) {
  const Settings more{output("run"), "save_steps=1", "max_steps=4"};
  train(relora(",lora_dropout=0,lora_alpha=8", more));
  const auto of = [&](int64_t step, const std::string& name) {
    return tensor("run", "checkpoint-" + std::to_string(step) + "/model.safetensors", name);
  };
  const auto moment = [&](const std::string& name) {
    return tensor("run", "checkpoint-4/optimizer.safetensors", name + ".moment1");
  };
  EXPECT_TRUE(at::equal(of(1, kW), of(3, kW))) << "W is frozen";
  EXPECT_GT(of(1, kB).abs().max().item<float>(), 0) << "the first cycle trains the factors";
  EXPECT_FALSE(at::equal(of(2, kA), of(3, kA)));
  EXPECT_TRUE(at::equal(of(4, kB), at::zeros_like(of(4, kB))));
  EXPECT_LE(of(4, kA).abs().max().item<double>(), 1 / std::sqrt(32.0));
  EXPECT_FALSE(at::equal(of(4, kA), of(3, kA)));
  EXPECT_FALSE(at::equal(of(4, kW), of(3, kW)));
  const at::Tensor change = of(4, kW) - of(3, kW);
  // The rank of the change is at most 4: the fifth singular value is a rounding error of fp32.
  const at::Tensor values = at::linalg_svdvals(change);
  EXPECT_LT(values[4].item<float>(), 1e-4f * values[0].item<float>());
  for (const std::string& name : {kA, kB}) EXPECT_EQ(moment(name).abs().max().item<float>(), 0) << name;
  EXPECT_GT(moment("lm_head.weight").abs().max().item<float>(), 0) << "other moments stay";
}

TEST_F(ReLoraRuns, PruneTheirMoments) {
  for (const auto& [moments, tolerance] : {std::pair{"magnitude", 0.02}, std::pair{"random", 0.15}}) {
    train(relora(std::string(",prune_ratio=0.75,moments=") + moments,
                 {output("run"), "save_steps=4", "max_steps=4"}));
    const at::Tensor moment = tensor("run", "checkpoint-4/optimizer.safetensors", kA + ".moment1");
    // 128 elements: six standard deviations of random pruning are 0.23, of which a fixed seed uses less.
    EXPECT_NEAR((moment == 0).to(at::kDouble).mean().item<double>(), 0.75, tolerance) << moments;
  }
}

// A run starts from the weights of a full-rank run, and its first output is theirs.
TEST_F(ReLoraRuns, BeginWithAWarmStart) {
  train({output("full"), "optim=adamw_torch", "optim_args=", "max_steps=3"});
  const auto logits = [&](const Settings& settings) {
    TrainOptions options;
    OptionTable table;
    resolve_settings(settings, options, table);
    const RunObjects run = build_model(model_config_of(options), model_options(options), at::kCPU);
    set_weights(*run.model, options, options.seed);
    return as_causal_lm(*run.model, "test").logits(at::arange(16, at::kLong).view({1, 16}));
  };
  const std::string from = "model_name_or_path=" + (folder_ / "full").string();
  EXPECT_TRUE(at::equal(logits({"config_name=", from}), logits(relora("", {"config_name=", from}))));
}

TEST_F(ReLoraRuns, ArePlannedWithTheirMerges) {
  // The largest temporaries of a merge count as workspace from the start of the plan on, and all five updates
  // of the run merge.
  expect_plan(relora(",relora_steps=1", {"max_steps=12", "lr_scheduler_type=linear", "lr_scheduler_kwargs="}),
              2);
}

}  // namespace
}  // namespace galore
