#include <gtest/gtest.h>

#include "train/test_options.h"

namespace galore {
namespace {

TEST(ForeignOptions, TotalBatchSize) {
  const Given given({"batch_size=4", "total_batch_size=32"});
  EXPECT_EQ(given.options.gradient_accumulation_steps, 8);
  EXPECT_TRUE(given.noted("total_batch_size is taken as gradient_accumulation_steps=8"));
  EXPECT_NE(
      complaint({"batch_size=4", "total_batch_size=30"}).find("a multiple of per_device_train_batch_size=4"),
      std::string::npos);
  EXPECT_NE(complaint({"total_batch_size=0"}), "");
}

TEST(ForeignOptions, MaxTrainTokens) {
  const Given given({"batch_size=4", "max_length=256", "total_batch_size=8", "max_train_tokens=1M"});
  EXPECT_EQ(given.options.max_steps, 1000000 / (8 * 256));
  EXPECT_TRUE(given.noted("max_train_tokens is taken as max_steps=488"));
  EXPECT_EQ(Given({"max_train_tokens=5"}).options.max_steps, 1);
}

TEST(ForeignOptions, Schedules) {
  const Given given({"lr_scheduler_type=cosine", "warmup_ratio=0.1", "min_lr_ratio=0.25"});
  EXPECT_EQ(given.options.warmup_steps, 0.1);
  EXPECT_EQ(given.options.lr_scheduler_type, "cosine_with_min_lr");
  EXPECT_EQ(given.options.lr_scheduler_kwargs, "min_lr_rate=0.25");
  EXPECT_TRUE(given.noted("warmup_ratio is taken as warmup_steps below 1"));
  EXPECT_NE(complaint({"min_lr_ratio=0.1"}).find("[min_lr_ratio] expected lr_scheduler_type=cosine"),
            std::string::npos);
  EXPECT_NE(complaint({"warmup_ratio=1"}).find("expected below 1"), std::string::npos);
  EXPECT_NE(complaint({"warmup_ratio=-0.5"}).find("expected 0 to 1"), std::string::npos);
}

TEST(ForeignOptions, LlamaFactory) {
  const Given given({"use_galore=true", "galore_layerwise=true", "galore_target=all", "galore_rank=64",
                     "galore_update_interval=100", "galore_scale=2.0", "galore_proj_type=right",
                     "optim=adamw_8bit"});
  const OptimizerSettings& settings = given.options.optimizer.settings;
  EXPECT_EQ(settings.preset, "galore_adamw_8bit");
  EXPECT_TRUE(given.options.optimizer.layerwise);
  EXPECT_EQ(given.options.optimizer.target_modules, std::vector<std::string>{"all-linear"});
  EXPECT_EQ(settings.subspace.rank, 64);
  EXPECT_EQ(settings.subspace.update_proj_gap, 100);
  EXPECT_EQ(settings.subspace.proj_type, "right");
  EXPECT_EQ(option_text(settings, "scale"), "2");
  EXPECT_TRUE(given.noted("use_galore is taken as optim=galore_adamw_8bit"));
  EXPECT_TRUE(given.noted("galore_scale is taken as optim_args=scale=2.0"));
}

TEST(ForeignOptions, UseGaloreWrapsEveryOptimizer) {
  const auto preset = [](const std::string& optim) {
    return Given({"use_galore=true", "optim=" + optim}).options.optimizer.settings.preset;
  };
  EXPECT_EQ(preset("adamw_torch"), "galore_adamw");
  EXPECT_EQ(preset("adamw_bnb_8bit"), "galore_adamw_8bit");
  EXPECT_EQ(preset("adafactor"), "galore_adafactor");
  EXPECT_EQ(preset("galore_adafactor"), "galore_adafactor");
  EXPECT_TRUE(Given({"use_galore=true", "optim=adamw_layerwise"}).options.optimizer.settings.layerwise);
}

TEST(ForeignOptions, ResearchScripts) {
  const Given given(
      {"rank=256", "update_proj_gap=50", "galore_scale=0.5", "proj_type=left", "optim_args=adam_beta2=0.95"});
  EXPECT_EQ(given.options.optim_args, "adam_beta2=0.95,rank=256,update_proj_gap=50,scale=0.5,proj_type=left");
  EXPECT_EQ(given.options.optimizer.settings.subspace.rank, 256);
  EXPECT_NE(complaint({"rank=8", "optim=adamw_torch"}).find("optim_args of adamw_torch"), std::string::npos);
}

TEST(ForeignOptions, Axolotl) {
  const Given given({"optim=q_galore_adamw8bit", "qgalore_rank=256", "qgalore_update_proj_gap=50",
                     "qgalore_scale=0.5", "qgalore_proj_type=std", "qgalore_proj_bits=8",
                     "qgalore_proj_group_size=128", "qgalore_cos_threshold=0.3", "qgalore_gamma_proj=3",
                     "qgalore_queue_size=4", "qgalore_proj_quant=true"});
  const SubspaceOptions& subspace = given.options.optimizer.settings.subspace;
  EXPECT_EQ(subspace.rank, 256);
  EXPECT_EQ(subspace.update_proj_gap, 50);
  EXPECT_EQ(option_text(given.options.optimizer.settings, "scale"), "0.5");
  EXPECT_EQ(subspace.basis_format().dtype, "int8");
  EXPECT_EQ(subspace.proj_group_size, 128);
  EXPECT_EQ(subspace.lazy.cos_threshold, 0.3);
  EXPECT_EQ(subspace.lazy.gamma_proj, 3);
  EXPECT_EQ(subspace.lazy.queue_size, 4);
  const Given unquantized({"optim=q_galore_adamw_8bit", "qgalore_proj_quant=false"});
  EXPECT_EQ(unquantized.options.optimizer.settings.subspace.basis_format().dtype, "bfloat16");
  EXPECT_EQ(Given({"use_galore=true", "optim=q_galore_adamw_8bit"}).options.optim, "q_galore_adamw_8bit");
}

TEST(ForeignOptions, TheCommandLineGoesBeforeTheFile) {
  EXPECT_EQ(Given({"max_steps=7"}, {"max_train_tokens=1M"}).options.max_steps, 7);
  EXPECT_EQ(
      Given({"max_train_tokens=1M", "max_length=100", "batch_size=10"}, {"max_steps=7"}).options.max_steps,
      1000);
  EXPECT_EQ(Given({"warmup_steps=7"}, {"warmup_ratio=0.1"}).options.warmup_steps, 7);
  EXPECT_EQ(Given({"optim_args=rank=16"}, {"rank=8"}).options.optimizer.settings.subspace.rank, 16);
  EXPECT_EQ(Given({"rank=8"}, {"optim_args=rank=16"}).options.optimizer.settings.subspace.rank, 8);
  EXPECT_EQ(
      Given({"gradient_accumulation_steps=2"}, {"total_batch_size=64"}).options.gradient_accumulation_steps,
      2);
}

TEST(ForeignOptions, TwoNamesForOneThingInOnePlaceAreRefused) {
  EXPECT_NE(complaint({"max_steps=7", "max_train_tokens=1M"})
                .find("[max_train_tokens] expected either this or max_steps, given both"),
            std::string::npos);
  EXPECT_NE(complaint({}, {"warmup_steps=7", "warmup_ratio=0.1"}), "");
  EXPECT_NE(complaint({"rank=8", "optim_args=rank=16"}), "");
  EXPECT_NE(complaint({"total_batch_size=64", "gradient_accumulation_steps=2"}), "");
  // The research scripts give both, and check that they agree.
  EXPECT_EQ(Given({"batch_size=4", "total_batch_size=64", "gradient_accumulation_steps=16"})
                .options.gradient_accumulation_steps,
            16);
}

}  // namespace
}  // namespace galore
