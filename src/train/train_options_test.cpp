#include "train/train_options.h"

#include <gtest/gtest.h>

#include "core/files.h"
#include "core/test_folder.h"
#include "optim/settings.h"
#include "optim/update_rules/adamw.h"
#include "train/test_options.h"

namespace galore {
namespace {

#define EXPECT_COMPLAINT(part, ...) \
  EXPECT_NE(complaint(__VA_ARGS__).find(part), std::string::npos) << complaint(__VA_ARGS__)

TEST(TrainOptions, DefaultsResolve) {
  const Given given({});
  EXPECT_TRUE(given.notes.empty());
  EXPECT_EQ(given.options.eval_strategy, "no");
  EXPECT_EQ(given.options.save_strategy, "no");
  EXPECT_EQ(given.options.data_seed, given.options.seed);
  EXPECT_EQ(given.options.optimizer.settings->preset, "galore_adamw");
}

TEST(TrainOptions, AliasesAreTakenAndNoted) {
  const Given given({"lr=0.5", "batch_size=3", "num-training-steps=7", "cutoff_len=128",
                     "sample_packing=false", "lr_scheduler=cosine", "save_every=5", "continue_from=auto"});
  EXPECT_EQ(given.options.learning_rate, 0.5);
  EXPECT_EQ(given.options.per_device_train_batch_size, 3);
  EXPECT_EQ(given.options.max_steps, 7);
  EXPECT_EQ(given.options.max_length, 128);
  EXPECT_FALSE(given.options.packing);
  EXPECT_EQ(given.options.lr_scheduler_type, "cosine");
  EXPECT_EQ(given.options.save_steps, 5);
  EXPECT_EQ(given.options.save_strategy, "steps");
  EXPECT_EQ(given.options.resume_from_checkpoint, "auto");
  EXPECT_EQ(given.notes.size(), 8u);
  EXPECT_TRUE(given.noted("lr is taken as learning_rate"));
  EXPECT_TRUE(given.noted("num_training_steps is taken as max_steps"));
}

// Every alias that interface.md promises is known.
TEST(TrainOptions, EveryPromisedAliasIsKnown) {
  TrainOptions options;
  OptionTable table;
  declare_options(table, options);
  const std::pair<const char*, const char*> aliases[] = {{"lr", "learning_rate"},
                                                         {"batch_size", "per_device_train_batch_size"},
                                                         {"num_training_steps", "max_steps"},
                                                         {"cutoff_len", "max_length"},
                                                         {"sequence_len", "max_length"},
                                                         {"max_seq_len", "max_length"},
                                                         {"base_model", "model_name_or_path"},
                                                         {"micro_batch_size", "per_device_train_batch_size"},
                                                         {"sample_packing", "packing"},
                                                         {"lr_scheduler", "lr_scheduler_type"},
                                                         {"num_epochs", "num_train_epochs"},
                                                         {"save_every", "save_steps"},
                                                         {"eval_every", "eval_steps"},
                                                         {"continue_from", "resume_from_checkpoint"},
                                                         {"galore_rank", "rank"},
                                                         {"galore_update_interval", "update_proj_gap"},
                                                         {"galore_proj_type", "proj_type"}};
  for (const auto& [alias, name] : aliases) {
    ASSERT_NE(table.find(alias), nullptr) << alias;
    EXPECT_EQ(table.find(alias)->name(), name) << alias;
  }
  for (const char* name : {"total_batch_size", "max_train_tokens", "warmup_ratio", "min_lr_ratio",
                           "use_galore", "galore_layerwise", "galore_target", "galore_scale"})
    EXPECT_NE(table.find(name), nullptr) << name;
}

TEST(TrainOptions, PackingHasAWordMore) {
  const auto text = [](const std::string& value) {
    return Given({"packing=" + value}).table.find("packing")->text();
  };
  EXPECT_EQ(text("isolated"), "isolated");
  EXPECT_EQ(text("no"), "false");
  EXPECT_EQ(Given({"packing=true"}, {"packing=isolated"}).table.find("packing")->text(), "true");
  EXPECT_EQ(Given({"bf16=full"}).table.find("bf16")->text(), "true") << "other words are resolved";
  EXPECT_COMPLAINT("packing: expected one of true,false,isolated, given 'apart'", {"packing=apart"});
}

TEST(TrainOptions, MaxLengthKeepsToThePositions) {
  const TestFolder folder;
  const auto model = [&](const std::string& keys) {
    write_file_atomically(folder / "config.json", "{" + keys + R"(, "vocab_size": 64, "hidden_size": 32,
      "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4})");
    return "config_name=" + (folder / "config.json").string();
  };
  const auto length = [](const Settings& settings) { return Given(settings).options.max_length; };
  const std::string none = "model_size=";
  const std::string rotary = model(R"("model_type": "llama", "max_position_embeddings": 40)");
  EXPECT_EQ(length({none, rotary}), 40);
  EXPECT_TRUE(Given({none, rotary}).noted("max_length is 40, which is all positions of the model"));
  EXPECT_EQ(Given({none, rotary, "batch_size=2", "max_train_tokens=800"}).options.max_steps, 10);
  EXPECT_EQ(length({none, rotary, "max_length=100"}), 100) << "rotary positions may be exceeded";
  EXPECT_EQ(length({none, rotary, "max_length=20"}), 20);
  const std::string learned = model(R"("model_type": "gpt2", "n_positions": 50)");
  EXPECT_EQ(length({none, learned}), 50);
  EXPECT_EQ(length({none, learned, "max_length=50"}), 50);
  EXPECT_EQ(
      complaint({none, learned, "cutoff_len=51"}),
      "[max_length] expected at most 50, the model's learned positions (max_position_embeddings), given 51");
  EXPECT_EQ(length({}), 256);
  EXPECT_EQ(length({none, "config_name=" + (folder / "missing").string()}), 256);
}

TEST(TrainOptions, AStreamNeedsItsEnd) {
  EXPECT_COMPLAINT("[max_steps] expected a number with streaming=true", {"streaming=true"});
  EXPECT_COMPLAINT("[val_size] expected a number of rows with streaming=true, given 0.1",
                   {"streaming=true", "max_steps=5", "val_size=0.1"});
  const Given given(
      {"streaming=true", "max_steps=5", "val_size=7", "buffer_size=100", "preprocessing_num_workers=2"});
  EXPECT_EQ(given.options.buffer_size, 100);
  EXPECT_TRUE(
      given.noted("preprocessing_num_workers has no effect: with streaming dataloader_num_workers decides"));
  EXPECT_TRUE(Given({"buffer_size=100"}).noted("buffer_size has no effect: all rows are shuffled"));
}

TEST(TrainOptions, UnknownKeysAreRefusedWithTheNearest) {
  EXPECT_COMPLAINT("[config.yaml:2] unknown option 'learning_rat'; the nearest known one is 'learning_rate'",
                   {}, {"learning_rat=1"});
  EXPECT_COMPLAINT("nearest known one is 'batch_size'", {"btach_size=1"});
  EXPECT_COMPLAINT("nearest known one is 'galore_rank'", {"galore_rnk=1"});
  EXPECT_COMPLAINT("nearest known one is 'galore_adamw'", {"optim=galore_adam"});
  EXPECT_COMPLAINT("optim_args of galore_adamw] unknown option 'rnk'; the nearest known one is 'rank'",
                   {"optim_args=rnk=3"});
}

TEST(TrainOptions, AdamSettingsGoBehindOptimArgsAndBeforeThePreset) {
  EXPECT_EQ(options_of<AdamWOptions>(*Given({}).options.optimizer.settings->rule).epsilon, 1e-6)
      << "the preset's";
  EXPECT_EQ(options_of<AdamWOptions>(*Given({"adam_epsilon=1e-5"}).options.optimizer.settings->rule).epsilon,
            1e-5);
  EXPECT_EQ(
      options_of<AdamWOptions>(
          *Given({"adam_epsilon=1e-5", "optim_args=adam_epsilon=1e-4"}).options.optimizer.settings->rule)
          .epsilon,
      1e-4);
  EXPECT_EQ(Given({"learning_rate=0.5", "optim_args=learning_rate=0.25"}).options.learning_rate, 0.25);
}

TEST(TrainOptions, StrategiesFollowFromTheSteps) {
  const Settings data = {"eval_file=e.bin"};
  const auto with = [&](Settings more) {
    more.insert(more.end(), data.begin(), data.end());
    return Given(more).options;
  };
  EXPECT_EQ(with({"eval_steps=7"}).eval_strategy, "steps");
  EXPECT_EQ(with({}).eval_strategy, "no");
  EXPECT_EQ(with({"eval_strategy=steps"}).eval_steps, 500);
  EXPECT_EQ(with({"save_strategy=steps"}).save_steps, 500);
  EXPECT_EQ(with({"eval_strategy=epoch", "load_best_model_at_end=true"}).save_strategy, "best");
}

TEST(TrainOptions, ImpossibleCombinationsAreRefused) {
  EXPECT_COMPLAINT("exactly one of model_name_or_path, model_size and config_name, given 2",
                   {"config_name=c.json"});
  EXPECT_COMPLAINT("exactly one of", {}, {"model_size="});
  EXPECT_COMPLAINT("compute_dtype", {"compute_dtype=bfloat16"});
  EXPECT_COMPLAINT("[bf16]", {"bf16=true", "dtype=float32"});
  EXPECT_COMPLAINT("[spike_threshold] layer-wise", {"spike_threshold=3", "optim_layerwise=true"});
  EXPECT_COMPLAINT("[spike_threshold] layer-wise", {"spike_threshold=3", "optim=galore_adamw_layerwise"});
  EXPECT_COMPLAINT("[val_size]", {"val_size=3", "eval_file=e.bin"});
  EXPECT_COMPLAINT("[eval_strategy] epoch: expected eval_file or val_size", {"eval_strategy=epoch"});
  EXPECT_COMPLAINT("[eval_strategy] steps: expected eval_file", {"eval_steps=10"});
  EXPECT_COMPLAINT("[eval_on_start]", {"eval_on_start=true"});
  EXPECT_COMPLAINT("[warmup_steps] expected a whole number or a share below 1, given 1.5",
                   {"warmup_steps=1.5"});
  EXPECT_COMPLAINT("[save_steps]", {"save_steps=2.5"});
  EXPECT_COMPLAINT("[lr_scheduler_kwargs]", {"lr_scheduler_kwargs=power=2"});
  EXPECT_COMPLAINT("expected one of stop", {"bad_rows=ignore"});
}

TEST(TrainOptions, TheBestModelNeedsSavedEvaluations) {
  const Settings best = {"load_best_model_at_end=true"};
  EXPECT_COMPLAINT("[save_strategy] best: expected evaluations", best);
  EXPECT_COMPLAINT("[save_strategy] best", {"save_strategy=best", "eval_file=e.bin"});
  EXPECT_COMPLAINT("the same eval_strategy and save_strategy, given 'no' and 'steps'",
                   {"eval_file=e.bin", "save_steps=4"}, best);
  EXPECT_COMPLAINT("given 'epoch' and 'steps'", {"eval_file=e.bin", "save_steps=4", "eval_strategy=epoch"},
                   best);
  EXPECT_COMPLAINT("multiple of eval_steps, given 4 and 3",
                   {"eval_file=e.bin", "save_steps=4", "eval_steps=3"}, best);
  EXPECT_EQ(complaint({"eval_file=e.bin", "save_steps=6", "eval_steps=3"}, best), "");
  EXPECT_EQ(complaint({"eval_file=e.bin", "save_steps=0.3", "eval_steps=0.1"}, best), "");
  EXPECT_EQ(complaint({"val_size=5", "eval_steps=3"}, best), "");
}

TEST(TrainOptions, ReportsThatAreNotWrittenAreRefused) {
  EXPECT_COMPLAINT("[report_to] expected none, tensorboard, jsonl, csv or all, given 'wandb'",
                   {"report_to=wandb"});
  EXPECT_COMPLAINT("expected none alone", {"report_to=none,csv"});
  for (const char* value : {"none", "jsonl", "csv", "jsonl,csv", "all"})
    EXPECT_EQ(complaint({std::string("report_to=") + value}), "") << value;
}

TEST(TrainOptions, WhatHasNoEffectIsNoted) {
  EXPECT_TRUE(Given({"bf16_rounding=stochastic"}).noted("bf16_rounding has no effect: the weights are fp32"));
  EXPECT_TRUE(Given({"master_weights=true"}).noted("master_weights has no effect: the weights are fp32"));
  EXPECT_TRUE(Given({"bf16_rounding=stochastic", "bf16=true"}).notes.empty());
  EXPECT_TRUE(Given({"max_steps=5", "num_train_epochs=2"})
                  .noted("num_train_epochs has no effect: max_steps decides"));
  EXPECT_TRUE(
      Given({"save_total_limit=2"}).noted("save_total_limit has no effect: no checkpoints are saved"));
}

}  // namespace
}  // namespace galore
