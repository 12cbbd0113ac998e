// Tests directions that stay in the subspace until the basis changes, from the first update to the saved
// files.
#include "optim/lazy_lift.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "checkpoint/safetensors.h"
#include "train/test_run.h"

namespace galore {
namespace {

const std::string kGaLore = "optim=galore_adamw";

class LazyLiftRun : public TestRun {
 protected:
  void train_lifted(const std::string& name, const std::string& lift, Settings settings) {
    settings.insert(settings.begin(), {kGaLore, "lift=" + lift, output(name)});
    train(settings);
  }

  // Returns the distance of the projected weights of `run` and `other`, relative to how far `other` has moved
  // from `start`.
  double distance(const std::string& run, const std::string& other, const std::string& start) const {
    const SafetensorsReader a(folder_ / run / "model.safetensors"), b(folder_ / other / "model.safetensors"),
        from(folder_ / start / "model.safetensors");
    double apart = 0, moved = 0;
    for (const TensorInfo& info : a.tensors()) {
      if (info.name.find("_proj") == std::string::npos) continue;
      const at::Tensor end = b.read(info.name).to(at::kDouble);
      apart += (a.read(info.name).to(at::kDouble) - end).square().sum().item<double>();
      moved += (from.read(info.name).to(at::kDouble) - end).square().sum().item<double>();
    }
    return std::sqrt(apart / moved);
  }
};

// Lazy lifting computes the products in another order. The rounding error of 1e-7 grows where Adam divides by
// small second moments, and from update to update, to 1e-3 after ten updates. The two forms of gradients
// differ as much.
TEST_F(LazyLiftRun, GivesTheEagerWeights) {
  train_lifted("start", "eager", {"max_steps=1", "learning_rate=0"});
  const std::string all = "optim_args=rank=8,update_proj_gap=4";
  const std::vector<Settings> cases = {
      {},
      {"optim_layerwise=true"},
      {"gradient=full", all + ",subspace=svd,refresh=together"},
      {all + ",proj_type=reverse_std", "gradient_checkpointing=true"},
      {all + ",moment_transport=true,refresh=staggered", "gradient_accumulation_steps=2"},
      {"basis_gradient=first_micro_batch", "gradient_accumulation_steps=2", "optim_layerwise=true"},
      {"weight_decay=0.1"},
      {"optim=golore_adamw", "weight_decay=0.1"},
      {"optim=galore_adamw_8bit", all + ",min_8bit_size=0,basis_dtype=int8"},
      {"optim=galore_adafactor", "max_grad_norm=0.5"}};
  for (size_t i = 0; i < cases.size(); ++i) {
    Settings settings = cases[i];
    settings.push_back("max_steps=10");
    train_lifted(fmt::format("eager-{}", i), "eager", settings);
    train_lifted(fmt::format("lazy-{}", i), "lazy", settings);
    const double apart = distance(fmt::format("lazy-{}", i), fmt::format("eager-{}", i), "start");
    EXPECT_LT(apart, 1e-3) << i;
    EXPECT_GT(apart, 0) << i << ": the same bits: nothing was lazy";
  }
}

// Saving does not change a run, and a resumed run continues to the bit.
TEST_F(LazyLiftRun, ResumesToTheBit) {
  const std::vector<Settings> cases = {
      {},
      {"bf16=true", "bf16_rounding=stochastic"},
      {"bf16=true", "master_weights=true"},
      {"optim=q_galore_adamw_8bit",
       "optim_args=rank=8,update_proj_gap=4,min_8bit_size=0,weight_group_size=64"}};
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto run = [&](const std::string& name, Settings more) {
      more.insert(more.end(), cases[i].begin(), cases[i].end());
      more.push_back("max_steps=11");
      train_lifted(fmt::format("{}-{}", name, i), "lazy", more);
      return fmt::format("{}-{}", name, i);
    };
    const std::string whole = run("whole", {"save_steps=11"});
    const std::string saved = run("saved", {"save_steps=3", "save_total_limit=9"});
    const Path middle = folder_ / saved / "checkpoint-6";
    const std::string rest = run("rest", {"save_steps=11", "resume_from_checkpoint=" + middle.string()});
    for (const std::string& other : {saved, rest}) {
      EXPECT_EQ(weights(whole), weights(other)) << other;
      EXPECT_EQ(file_text(folder_ / whole / "checkpoint-11" / kOptimizerName),
                file_text(folder_ / other / "checkpoint-11" / kOptimizerName))
          << other;
    }
  }
}

// Q-GaLore's weight codes change only where the basis changes.
TEST_F(LazyLiftRun, CodesStayBetweenRefreshes) {
  const std::string name = "model.layers.0.mlp.up_proj.weight.weight_codes";
  const auto codes = [&](const std::string& lift, int64_t step) {
    return SafetensorsReader(folder_ / lift / fmt::format("checkpoint-{}", step) / kOptimizerName).read(name);
  };
  const std::string arguments =
      "rank=8,update_proj_gap=4,cos_threshold=1,min_8bit_size=0,weight_group_size=64,refresh=together";
  for (const std::string lift : {"eager", "lazy"})
    train_lifted(lift, lift,
                 {"optim=q_galore_adamw_8bit", "max_steps=5", "save_steps=1", "save_total_limit=9",
                  "optim_args=" + arguments});
  EXPECT_TRUE(codes("lazy", 1).equal(codes("lazy", 4)));
  EXPECT_FALSE(codes("lazy", 4).equal(codes("lazy", 5)));
  EXPECT_FALSE(codes("eager", 1).equal(codes("eager", 4)));
}

// Single updates of about 2e-6 vanish in most bf16 weights of 0.02, whereas the sum of two hundred updates is
// large enough to change them.
TEST_F(LazyLiftRun, NarrowWeightsLoseLess) {
  const auto with = [](Settings settings) {
    const Settings all = {"max_steps=200", "learning_rate=1e-5", "lr_scheduler_type=constant",
                          "optim_args=rank=8,update_proj_gap=200,refresh=together"};
    settings.insert(settings.end(), all.begin(), all.end());
    return settings;
  };
  train_lifted("start", "eager", {"max_steps=1", "learning_rate=0"});
  train_lifted("fp32", "eager", with({}));
  train_lifted("eager", "eager", with({"bf16=true"}));
  train_lifted("lazy", "lazy", with({"bf16=true"}));
  EXPECT_GT(distance("eager", "fp32", "start"), 0.9);  // almost no update has arrived
  EXPECT_LT(distance("lazy", "fp32", "start"), 0.6);   // the model's file is rounded only once
}

TEST_F(LazyLiftRun, RefusesWhatItCannotKeep) {
  const auto reason = [&](const Settings& settings) {
    return message_of([&] { train_lifted("run", "lazy", settings); });
  };
  EXPECT_NE(reason({"bf16=true", "weight_decay=0.1"}).find("[lift] expected eager, or weight_decay=0"),
            std::string::npos);
  EXPECT_NE(reason({"optim=adamw", "optim_args="}).find("[lift] expected eager"), std::string::npos);
}

// The weights are 32 x 32, 48 x 32 and 16 x 32. Lazy lifting pays for fewer than 8, 9.6 and 5.3 tokens per
// update.
TEST_F(LazyLiftRun, AutoAsksWhatCostsLess) {
  const auto weight_bytes = [&](const std::string& lift, const std::string& length) {
    train_lifted("run", lift,
                 {"max_steps=1", "per_device_train_batch_size=1", "max_length=" + length,
                  "overwrite_output_dir=true"});
    return events("run", "memory").at(0).at("weights").get<int64_t>();
  };
  const int64_t eager = weight_bytes("eager", "4"), lazy = weight_bytes("lazy", "4");
  EXPECT_GT(lazy, eager);
  EXPECT_EQ(weight_bytes("auto", "4"), lazy);
  const int64_t some = weight_bytes("auto", "6");  // lazy except for keys and values
  EXPECT_TRUE(eager < some && some < lazy);
  EXPECT_EQ(weight_bytes("auto", "16"), eager);
}

TEST_F(LazyLiftRun, ThePlanIsWhatIsAllocated) {
  for (const std::string layerwise : {"false", "true"})
    for (const int64_t micro_batches : {1, 2})
      expect_plan({kGaLore, "lift=lazy", "bf16=true", "optim_layerwise=" + layerwise}, micro_batches);
}

}  // namespace
}  // namespace galore
