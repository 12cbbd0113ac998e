#include "train/memory_fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/test_message.h"
#include "train/inputs.h"
#include "train/test_options.h"
#include "train/test_run.h"

namespace galore {
namespace {

const Say kSilent = [](const std::string&) {};

// A plan of the 60m model against a machine of so many MiB that holds nothing yet. Weights in bf16
// compute in bf16, on processors too where that is slow and not the default.
struct Plan {
  TrainOptions options;
  ModelConfig config;
  MemoryAtHand at_hand;

  explicit Plan(int64_t mebibytes, const Settings& settings = {})
      : options(Given(settings, {"gradient=full"}).options),
        config(model_config_of(options)),
        at_hand{mebibytes << 20, 0, "a test"} {
    options.compute_dtype = "bfloat16";
  }

  MemoryFit fit() const { return plan_fit(options, config, at_hand); }
  std::string remedies() const { return galore::remedies(options, config, fit()); }
  std::string needs() const { return "(" + format_bytes(static_cast<double>(fit().need())) + ")"; }
};

// So many MiB and the libraries of such a run, which take other sizes on other machines.
int64_t with_libraries(int64_t mebibytes, const Settings& settings = {}) {
  return mebibytes + (Plan(0, settings).fit().libraries >> 20);
}

TEST(MemoryFit, CountsThePlanAndTheProgram) {
  const MemoryFit fit = Plan(2000).fit();
  EXPECT_EQ(fit.need(), fit.plan.total() + library_bytes(fit.plan.libraries));
  EXPECT_TRUE(fit.fits());
  EXPECT_FALSE(Plan((fit.need() >> 20) - 1).fit().fits());
  EXPECT_EQ(describe(fit), fmt::format("fits: it needs {}, at hand are 1.95 GiB (a test)",
                                       format_bytes(static_cast<double>(fit.need()))));
}

TEST(MemoryFit, MoreThanTwoMicroBatchesHoldNothingMore) {
  for (const char* layerwise : {"optim_layerwise=false", "optim_layerwise=true"}) {
    // The plan alone: more micro-batches may need other products, whose buffers the libraries hold.
    const auto bytes = [&](const char* steps) {
      return Plan(0, {layerwise, std::string("gradient_accumulation_steps=") + steps}).fit().plan.total();
    };
    EXPECT_EQ(bytes("2"), bytes("5"));
    EXPECT_EQ(bytes("1") < bytes("2"), std::string(layerwise) == "optim_layerwise=true")
        << "a buffer for each weight";
  }
}

TEST(EqualBatches, KeepTheRowsOfAnUpdate) {
  std::vector<std::pair<int64_t, int64_t>> found;
  for (const BatchSize& size :
       equal_batches(Given({"batch_size=6", "gradient_accumulation_steps=4"}).options))
    found.emplace_back(size.rows, size.micro_batches);
  EXPECT_EQ(found, (std::vector<std::pair<int64_t, int64_t>>{{6, 4}, {4, 6}, {3, 8}, {2, 12}, {1, 24}}));
}

TEST(FindBatchSize, TakesTheLargestThatFits) {
  const auto chosen = [](int64_t mebibytes, const Settings& settings) {
    Plan plan(mebibytes, settings);
    find_batch_size(plan.options, plan.config, plan.at_hand, {}, kSilent);
    return plan.options.per_device_train_batch_size;
  };
  const Settings twelve = {"batch_size=12"}, layerwise = {"batch_size=12", "optim_layerwise=true"};
  EXPECT_EQ(chosen(100000, twelve), 12);
  for (const int64_t rows : {6, 4, 3, 2, 1}) {
    const Settings settings = {fmt::format("batch_size={}", rows),
                               fmt::format("gradient_accumulation_steps={}", 12 / rows)};
    const int64_t need = (Plan(0, settings).fit().need() >> 20) + 1;
    EXPECT_EQ(chosen(need, twelve), rows);
  }
  EXPECT_EQ(chosen(100, twelve), 1) << "nothing fits: the one that needs least";
  EXPECT_EQ(chosen(100000, layerwise), 12);
}

TEST(FindBatchSize, KeepsTheCheckpointsChoiceWhileItFits) {
  const auto chosen = [](const std::map<std::string, std::string>& before) {
    Plan plan(with_libraries(1450), {"batch_size=16"});  // 8 rows fit
    find_batch_size(plan.options, plan.config, plan.at_hand, before, kSilent);
    return plan.options.per_device_train_batch_size;
  };
  const auto configuration = [](const char* rows, const char* steps, const char* automatic = "true") {
    return std::map<std::string, std::string>{{"per_device_train_batch_size", rows},
                                              {"gradient_accumulation_steps", steps},
                                              {"auto_find_batch_size", automatic}};
  };
  EXPECT_EQ(chosen({}), 8);
  EXPECT_EQ(chosen(configuration("4", "4")), 4);
  EXPECT_EQ(chosen(configuration("4", "4", "false")), 8) << "it was not a choice";
  EXPECT_EQ(chosen(configuration("16", "1")), 8) << "does not fit here";
  EXPECT_EQ(chosen(configuration("4", "8")), 8) << "another update";
  EXPECT_EQ(chosen(configuration("5", "3")), 8);
}

TEST(Remedies, NameEachChangeThatFitsWithItsSize) {
  const std::string text = Plan(with_libraries(1450), {"batch_size=16"}).remedies();
  EXPECT_EQ(
      text.find("each of these fits: per_device_train_batch_size=8 with gradient_accumulation_steps=2 " +
                Plan(0, {"batch_size=8", "gradient_accumulation_steps=2"}).needs()),
      0u)
      << text;
  EXPECT_TRUE(contains(text, "gradient_checkpointing=true " +
                                 Plan(0, {"batch_size=16", "gradient_checkpointing=true"}).needs()))
      << text;
  EXPECT_TRUE(contains(text, "bf16=true " + Plan(0, {"batch_size=16", "bf16=true"}).needs())) << text;
  EXPECT_FALSE(contains(text, "rank")) << "does not suffice";
}

TEST(Remedies, CombineWhatHelpsUntilItFits) {
  const std::string text = Plan(with_libraries(650)).remedies();
  EXPECT_TRUE(
      text.starts_with("together these fit: per_device_train_batch_size=1 with "
                       "gradient_accumulation_steps=8, gradient_checkpointing=true, bf16=true"))
      << text;
  const std::string least = Plan(10).remedies();
  EXPECT_TRUE(least.starts_with("smaller, but not enough: ")) << least;
  EXPECT_TRUE(contains(least, "rank=32 in optim_args")) << least;
}

TEST(Remedies, KnowThatAccumulationCostsLayerwiseModeABufferAWeight) {
  const std::string text =
      Plan(24 << 10, {"model_size=7b", "bf16=true", "batch_size=1", "gradient_accumulation_steps=4",
                      "max_length=1024", "optim=galore_adamw_8bit_layerwise"})
          .remedies();
  EXPECT_EQ(text.find("together these fit: gradient_checkpointing=true, per_device_train_batch_size=4 with "
                      "gradient_accumulation_steps=1 ("),
            0u)
      << text;
}

TEST(Remedies, LeaveOutWhatDoesNotHelp) {
  const Settings small = {"batch_size=1", "gradient_checkpointing=true", "bf16=true"};
  const auto with = [&](Settings more) {
    more.insert(more.end(), small.begin(), small.end());
    return Plan(10, more).remedies();
  };
  const std::string text = with({"optim=adamw_torch"});
  EXPECT_TRUE(contains(text, "optim=adamw_8bit")) << text;
  for (const char* idle : {"per_device", "gradient_checkpointing", "bf16", "rank"})
    EXPECT_FALSE(contains(text, idle)) << text;
  EXPECT_FALSE(contains(with({"optim=adamw_torch", "spike_threshold=5"}), "optim_layerwise"));
  EXPECT_EQ(with({"optim=sgd", "optim_layerwise=true"}), "no option makes it smaller");
  EXPECT_TRUE(contains(with({"optim=galore_adamw_layerwise"}), "optim=galore_adamw_8bit_layerwise"));
  EXPECT_TRUE(contains(with({"optim=muon"}), "optim=method=muon,storage=blockwise_8bit,"));
  EXPECT_TRUE(contains(with({"optim=rule=adamw,rank=8"}), "optim=rule=adamw,rank=8,storage=blockwise_8bit,"));
  EXPECT_TRUE(contains(Plan(10, {"val_size=5", "per_device_eval_batch_size=512"})
                           .remedies(),  // the 8 training rows need as much

                       "per_device_eval_batch_size=8, "));
}

TEST(FindBatchSize, IsRefusedWhereItWouldChangeTheUpdate) {
  EXPECT_EQ(
      complaint({"auto_find_batch_size=true", "basis_gradient=first_micro_batch", "gradient=projected"}),
      "[auto_find_batch_size] expected basis_gradient=update: with first_micro_batch the micro-batches "
      "decide the bases");
  EXPECT_EQ(complaint({"auto_find_batch_size=true", "memory_limit=22GiB"}), "");
  EXPECT_EQ(complaint({"memory_limit=much"}),
            "[memory] memory_limit: expected bytes, such as 22GiB, 500MB or 0, given 'much'");
}

class TrainerMemory : public TestRun {
 protected:
  // An update has 256 rows of 128 tokens; 64 rows take about 30 MiB.
  Settings large(const std::string& name, Settings more) const {
    const Settings common = {output(name), "max_length=128", "per_device_train_batch_size=256",
                             "max_steps=2"};
    more.insert(more.begin(), common.begin(), common.end());
    return more;
  }
  // Returns a memory_limit into which this many rows fit but not twice as many.
  std::string limit_for(int64_t rows, const Settings& settings = {}) const {
    TrainOptions options;
    OptionTable table;
    resolve_settings(settings, options, table);
    options.max_length = 128;
    // Asked once, because the memory that the process holds moves by itself.
    const MemoryAtHand now = memory_at_hand(options, at::kCPU);
    const auto need = [&](int64_t count) {
      set_batch_size(options, {count, 256 / count});
      return plan_fit(options, model_config_of(options), now).need();
    };
    EXPECT_GT(need(2 * rows) - need(rows), 24 << 20);
    return fmt::format("memory_limit={}", (need(rows) + need(2 * rows)) / 2);
  }
  std::string saved(const std::string& run, const char* option) const {
    return events(run, "configuration").back().at(option);
  }
};

TEST_F(TrainerMemory, WhatDoesNotFitIsRefusedBeforeAnythingElse) {
  const std::string text = message_of([&] {
    train(large("run", {limit_for(128), "train_file=" + (folder_ / "missing.bin").string()}));
  });
  EXPECT_TRUE(text.starts_with("[memory] expected at most ")) << text;
  for (const char* part :
       {"(memory_limit), the run needs ", " planned, ", " for the program and its libraries); ",
        "per_device_train_batch_size=128 with gradient_accumulation_steps=2 (",
        "; memory_check=false starts anyway"})
    EXPECT_TRUE(contains(text, part)) << part << " in " << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "run"));
}

TEST_F(TrainerMemory, StartsAnywayWhenAsked) {
  EXPECT_EQ(train({output("run"), "max_steps=1", "memory_limit=1MiB", "memory_check=false"}).steps, 1);
  EXPECT_TRUE(contains(log_, "note: memory_check=false: the run does not fit: it needs ")) << log_;
  EXPECT_EQ(events("run", "memory").at(0).at("limited_by"), "memory_limit");
  train({output("own"), "max_steps=1"});
  EXPECT_TRUE(contains(log_, "the run fits: it needs ")) << log_;
}

TEST_F(TrainerMemory, AFoundBatchSizeMakesTheSameUpdate) {
  // SGD is used because Adam's first updates are signs, which turn rounding errors of gradients near zero
  // into whole steps.
  const Settings sgd = {"optim=galore_sgd", "optim_args=rank=8,update_proj_gap=1", "learning_rate=1"};
  train(large("whole", sgd));
  train(large("found", {sgd[0], sgd[1], sgd[2], limit_for(64, sgd), "auto_find_batch_size=true"}));
  EXPECT_TRUE(
      contains(log_,
               "auto_find_batch_size: per_device_train_batch_size=256 with gradient_accumulation_steps=1, "
               "which does not fit: it needs "))
      << log_;
  EXPECT_TRUE(
      contains(log_,
               "taken instead: per_device_train_batch_size=64 with gradient_accumulation_steps=4, which "
               "fits: it needs "))
      << log_;
  EXPECT_EQ(saved("found", "per_device_train_batch_size"), "64");
  EXPECT_EQ(saved("found", "gradient_accumulation_steps"), "4");
  EXPECT_GT(std::abs(events("whole", "step").at(1).at("loss").get<double>() -
                     events("whole", "step").at(0).at("loss").get<double>()),
            1e-3)
      << "an update is seen";
  for (size_t i = 0; i < 2; ++i) {
    const auto whole = events("whole", "step").at(i), found = events("found", "step").at(i);
    EXPECT_EQ(found.at("tokens_seen"), whole.at("tokens_seen"));
    // The fp32 sums run in another order, so they differ by a few units of the 24th bit.
    EXPECT_NEAR(found.at("loss"), whole.at("loss"), 1e-5);
  }
}

TEST_F(TrainerMemory, AResumedRunKeepsTheChoiceAndGoesOnToTheBit) {
  const Settings common = {"auto_find_batch_size=true", "save_steps=1"};
  const std::string narrow = limit_for(128),
                    from = "resume_from_checkpoint=" + (folder_ / "whole/checkpoint-1").string();
  const auto run = [&](const char* name, Settings more) {
    more.insert(more.end(), common.begin(), common.end());
    return train(large(name, more));
  };
  run("whole", {narrow});
  run("rest", {from});
  EXPECT_TRUE(contains(log_, "gradient_accumulation_steps=2, the checkpoint's choice, fits still")) << log_;
  EXPECT_FALSE(contains(log_, "note:")) << "nothing has changed: " << log_;
  EXPECT_EQ(weights("whole"), weights("rest"));
  EXPECT_EQ(file_text(folder_ / "whole/checkpoint-2/optimizer.safetensors"),
            file_text(folder_ / "rest/checkpoint-2/optimizer.safetensors"));
  run("narrower", {from, limit_for(64)});
  EXPECT_TRUE(contains(log_, "auto_find_batch_size: the checkpoint's per_device_train_batch_size=128 with "))
      << log_;
  EXPECT_TRUE(contains(log_, "note: per_device_train_batch_size was '128' in the checkpoint and is '64' now"))
      << log_;
}

}  // namespace
}  // namespace galore
