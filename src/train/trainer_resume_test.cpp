// Training s updates, saving, and training T + 1 more across a refresh equals resuming and training T + 1, to
// the last bit.
#include <gtest/gtest.h>

#include "checkpoint/state_files.h"
#include "optim/presets.h"
#include "optim/settings.h"
#include "train/run_state.h"
#include "train/test_run.h"

namespace galore {
namespace {

constexpr int
    kSaved = 3,
    // Refreshes come every 4 updates, so the resumed part starts between two refreshes and crosses one.
    kEnd = 8;

struct Case {
  std::string name;
  std::vector<std::string> settings;
};

void PrintTo(const Case& resumed, std::ostream* stream) { *stream << resumed.name; }

std::vector<Case> make_cases() {
  std::vector<Case> cases;
  for (const Preset& preset : presets()) {
    OptimizerSettings settings = preset.settings();
    OptionTable table;
    declare_options(table, settings);
    std::string arguments;
    if (table.find("rank")) arguments = "rank=8";
    if (table.find("update_proj_gap")) arguments += ",update_proj_gap=4";
    // The tensors of the tiny model are too small for 8-bit moments by default.
    if (table.find("min_8bit_size"))
      arguments += std::string(arguments.empty() ? "" : ",") + "min_8bit_size=0";
    const std::vector<std::string> of_preset = {"optim=" + preset.name, "optim_args=" + arguments};
    for (const char* layerwise : {"false", "true"}) {
      Case plain{preset.name + (*layerwise == 't' ? "_layerwise" : ""), of_preset};
      plain.settings.push_back(std::string("optim_layerwise=") + layerwise);
      Case hard = plain;
      hard.name += "_hard";
      hard.settings.insert(hard.settings.end(),
                           {"gradient_accumulation_steps=2", "bf16=true", "bf16_rounding=stochastic",
                            "max_grad_norm=0.5", "weight_decay=0.1", "warmup_steps=2"});
      cases.push_back(plain);
      cases.push_back(hard);
    }
  }
  return cases;
}

class TrainerResume : public TestRun {
 protected:
  // Compares all files of two checkpoints. In trainer_state.json the settings may differ.
  void expect_equal_checkpoints(const Path& a, const Path& b) {
    for (const char* name : {"model.safetensors", "optimizer.safetensors", "rng_state.json", "config.json"})
      EXPECT_EQ(file_text(a / name), file_text(b / name)) << name;
    auto state_a = nlohmann::json::parse(file_text(a / kTrainerStateName));
    auto state_b = nlohmann::json::parse(file_text(b / kTrainerStateName));
    for (auto* state : {&state_a, &state_b}) {
      (*state)["stateful_callbacks"]["galore"].erase("settings");
      auto& best = (*state)["best_model_checkpoint"];
      if (best.is_string()) best = Path(best.get<std::string>()).filename().string();  // the folders differ
    }
    EXPECT_EQ(state_a, state_b);
  }

  // Returns the logged refreshes after the checkpoint.
  std::vector<nlohmann::json> later_bases(const std::string& run) const {
    std::vector<nlohmann::json> later;
    for (nlohmann::json event : events(run, "subspace")) {
      event.erase("time");
      if (event.at("step") > kSaved) later.push_back(event);
    }
    return later;
  }

  void expect_exact_resume(Settings settings) {
    settings.push_back("max_steps=" + std::to_string(kEnd));
    settings.push_back("save_steps=" + std::to_string(kSaved));
    Settings whole = settings, rest = settings;
    whole.push_back(output("whole"));
    rest.push_back(output("rest"));
    rest.push_back("resume_from_checkpoint=" + checkpoint_path(folder_ / "whole", kSaved).string());
    train(whole);
    train(rest);
    EXPECT_NE(log_.find("resumed"), std::string::npos);
    EXPECT_EQ(log_.find("note:"), std::string::npos) << "nothing has changed: " << log_;
    expect_equal_checkpoints(checkpoint_path(folder_ / "whole", kEnd),
                             checkpoint_path(folder_ / "rest", kEnd));
    EXPECT_EQ(weights("whole"), weights("rest"));
    EXPECT_EQ(later_bases("whole"), later_bases("rest"));
    EXPECT_NE(weights("whole"), weights("whole/checkpoint-" + std::to_string(kSaved)));
  }
};

class EveryPreset : public TrainerResume, public testing::WithParamInterface<Case> {};

TEST_P(EveryPreset, ResumesToTheBit) { expect_exact_resume(GetParam().settings); }

INSTANTIATE_TEST_SUITE_P(TrainerResume, EveryPreset, testing::ValuesIn(make_cases()),
                         [](const auto& info) { return info.param.name; });

// An epoch has 10 rows and an update has 4, so the checkpoint lies in the second epoch and the end in the
// fourth.
TEST_F(TrainerResume, OverEpochBordersWithShuffling) {
  expect_exact_resume({"max_samples=10"});
  expect_exact_resume({"max_samples=10", "dataloader_num_workers=0", "overwrite_output_dir=true"});
}

// The checkpoint lies within a window of the buffer, which holds 7 of 75 rows or all 10 rows.
TEST_F(TrainerResume, InTheMiddleOfAStream) {
  expect_exact_resume({"streaming=true", "buffer_size=7", "val_size=5", "eval_steps=2"});
  expect_exact_resume({"streaming=true", "buffer_size=7", "dataloader_num_workers=0", "max_samples=10",
                       "overwrite_output_dir=true"});
  expect_exact_resume(
      {"streaming=true", "max_samples=10", "dataloader_num_workers=3", "overwrite_output_dir=true"});
  const std::string from = "resume_from_checkpoint=" + checkpoint_path(folder_ / "whole", kSaved).string();
  const auto complaint = [&](const std::string& setting) {
    return message_of([&] { train({output("other"), "max_steps=9", "buffer_size=9", from, setting}); });
  };
  EXPECT_NE(complaint("streaming=true").find("[data] the saved position"), std::string::npos)
      << complaint("streaming=true");
  EXPECT_NE(complaint("streaming=false").find("expected streaming=true"), std::string::npos);
}

TEST_F(TrainerResume, OfAMethodWithMomentsInCodes) {
  const Settings muon = {"optim=method=muon,storage=blockwise_8bit", "optim_args=min_8bit_size=0"};
  expect_exact_resume(muon);
  expect_exact_resume({muon[0], muon[1], "optim_layerwise=true", "overwrite_output_dir=true"});
}

TEST_F(TrainerResume, InTheMiddleOfALoggingWindow) { expect_exact_resume({"logging_steps=5"}); }

TEST_F(TrainerResume, WithEverythingElse) {
  expect_exact_resume({"gradient=projected", "gradient_checkpointing=true", "master_weights=true",
                       "bf16=true", "optim_layerwise=true", "layerwise_clipping=previous_norm",
                       "max_grad_norm=0.1", "lr_scheduler_type=cosine_with_min_lr",
                       "lr_scheduler_kwargs=min_lr_rate=0.1"});
}

TEST_F(TrainerResume, WithEvaluationsAndTheBestModel) {
  expect_exact_resume({eval_file(), "eval_steps=1", "load_best_model_at_end=true"});
  EXPECT_NE(file_text(folder_ / "rest" / "checkpoint-8" / kTrainerStateName).find("\"best_metric\""),
            std::string::npos);
}

TEST_F(TrainerResume, TheSpikeGuardKnowsWhatItKnew) {
  const Settings settings = {"spike_threshold=100", "max_steps=56"};
  Settings whole = settings, rest = settings;
  whole.insert(whole.end(), {output("whole"), "save_steps=52"});
  rest.insert(rest.end(), {output("rest"), "save_steps=52",
                           "resume_from_checkpoint=" + (folder_ / "whole" / "checkpoint-52").string()});
  train(whole);
  train(rest);
  expect_equal_checkpoints(folder_ / "whole" / "checkpoint-56", folder_ / "rest" / "checkpoint-56");
  EXPECT_EQ(read_run_state(folder_ / "whole" / "checkpoint-52").spikes.recent.size(), SpikeGuard::kWindow);
}

TEST_F(TrainerResume, InPlaceByAutoAndTrue) {
  const Settings auto_settings = {output("run"), "save_steps=2", "resume_from_checkpoint=auto"};
  const auto until = [&](int steps, const std::string& how) {
    Settings settings = auto_settings;
    settings.insert(settings.end(), {"max_steps=" + std::to_string(steps), "resume_from_checkpoint=" + how});
    return train(settings);
  };
  EXPECT_NE(message_of([&] { until(4, "true"); }).find("there is no checkpoint"), std::string::npos);
  EXPECT_EQ(until(4, "auto").steps, 4) << "auto begins anew where there is nothing";
  EXPECT_EQ(until(6, "auto").steps, 6);
  EXPECT_NE(log_.find("resumed " + (folder_ / "run" / "checkpoint-4").string() + " at step 4"),
            std::string::npos);
  EXPECT_NE(log_.find("note: max_steps was '4' in the checkpoint and is '6' now"), std::string::npos);
  EXPECT_EQ(until(6, "true").steps, 6) << "nothing is left to do";
  EXPECT_EQ(steps_of("run", "step"), (std::vector<int64_t>{1, 2, 3, 4, 5, 6}));
}

TEST_F(TrainerResume, AnotherAccumulationGoesOnAndSaysSo) {
  // An epoch has 75 rows. Three updates of 4 rows are done, so 63 rows are left for updates of 8.
  const Settings common = {"num_train_epochs=1", "save_steps=3"};
  Settings first = common, second = common;
  first.insert(first.end(), {output("first"), "warmup_steps=0"});
  second.insert(second.end(), {output("second"), "gradient_accumulation_steps=2",
                               "resume_from_checkpoint=" + (folder_ / "first" / "checkpoint-3").string()});
  EXPECT_EQ(train(first).steps, 19);
  EXPECT_EQ(train(second).steps, 3 + 8);
  EXPECT_NE(log_.find("note: gradient_accumulation_steps was '1' in the checkpoint and is '2' now"),
            std::string::npos);
  EXPECT_NE(log_.find("note: the run ends after 11 updates; it was to end after 19"), std::string::npos);
  EXPECT_EQ(events("second", "step").back().at("epoch"), 1.0) << "every row was seen once";
}

TEST_F(TrainerResume, AnotherNumberOfThreadsIsSaid) {
  train({output("run"), "max_steps=2", "save_steps=2"});
  const Path state = folder_ / "run" / "checkpoint-2" / kTrainerStateName;
  TrainerState saved = read_trainer_state(state);
  saved.counters["threads"] = 3;
  write_trainer_state(state, saved);
  train({output("run"), "max_steps=3", "save_steps=2", "resume_from_checkpoint=true"});
  EXPECT_NE(log_.find("note: 3 threads computed until the checkpoint, 1 go on"), std::string::npos) << log_;
}

TEST_F(TrainerResume, WhatCannotBeResumedIsRefusedWithTheReason) {
  train({output("run"), "max_steps=2", "save_steps=2"});
  train({output("weights"), "max_steps=2", "save_steps=2", "save_only_model=true"});
  const auto complaint = [&](const std::string& from, Settings settings) {
    settings.insert(settings.end(),
                    {output("other"), "max_steps=3", "resume_from_checkpoint=" + (folder_ / from).string()});
    return message_of([&] { train(settings); });
  };
  EXPECT_NE(complaint("weights/checkpoint-2", {}).find("saved with save_only_model"), std::string::npos);
  EXPECT_NE(complaint("nowhere", {}).find("is no complete checkpoint"), std::string::npos);
  EXPECT_NE(complaint("run/checkpoint-2", {"optim=adamw", "optim_args="}).find("expected shape"),
            std::string::npos);
  EXPECT_NE(log_.find("note: optim was 'galore_adamw' in the checkpoint and is 'adamw' now"),
            std::string::npos);
  EXPECT_NE(
      complaint("run/checkpoint-2", {"optim_args=rank=4"}).find("expected shape [32, 4], given [32, 8]"),
      std::string::npos);
  EXPECT_NE(complaint("run/checkpoint-2", {"max_samples=3"}).find("max_samples or val_size changed"),
            std::string::npos);
}

// Rows of other data, or of another length, stand at other places.
TEST_F(TrainerResume, ChangedDataAreNoticed) {
  const Settings settings = {output("run"), "save_steps=3", "resume_from_checkpoint=auto"};
  const auto until = [&](int steps, const std::string& more = "seed=42") {
    Settings own = settings;
    own.insert(own.end(), {"max_steps=" + std::to_string(steps), more});
    return message_of([&] { train(own); });
  };
  EXPECT_EQ(until(3), "");
  std::filesystem::copy_file(folder_ / "train.bin", folder_ / "moved.bin");
  EXPECT_EQ(until(6, "train_file=" + (folder_ / "moved.bin").string()), "") << "the tokens are the same";
  std::vector<int> tokens = tiny_tokens(1200, 1);
  std::swap(tokens[40], tokens[900]);
  write_tokens(folder_ / "train.bin", tokens);
  const std::string changed = until(9);
  EXPECT_EQ(changed.find("[resume] the data or the tokenizer changed since the checkpoint, where 24 rows of "
                         "epoch 0 were seen"),
            0u)
      << changed;
  EXPECT_EQ(checkpoints("run").back(), 6);
  EXPECT_EQ(until(9, "ignore_data_changes=true"), "");
  EXPECT_NE(log_.find("note: the data changed, so epoch 0 begins anew"), std::string::npos);
  EXPECT_EQ(read_run_state(folder_ / "run" / "checkpoint-9").data, (DataPosition{0, 12}));
  const std::string length = until(12, "max_length=15");
  EXPECT_EQ(length.find("[resume] max_length, packing, data_seed"), 0u) << length;
  EXPECT_EQ(until(12), "") << "the changed data are those of the checkpoint now";
}

TEST_F(TrainerResume, AChangedStreamBeginsItsEpochAnew) {
  const Settings settings = {output("run"), "save_steps=3", "streaming=true", "resume_from_checkpoint=auto"};
  const auto until = [&](int steps, const std::string& more) {
    Settings own = settings;
    own.insert(own.end(), {"max_steps=" + std::to_string(steps), more});
    return message_of([&] { train(own); });
  };
  EXPECT_EQ(until(3, "buffer_size=7"), "");
  EXPECT_NE(until(6, "buffer_size=9").find("ignore_data_changes=true"), std::string::npos);
  Settings ignoring = settings;
  ignoring.insert(ignoring.end(), {"max_steps=6", "buffer_size=9", "ignore_data_changes=true"});
  train(ignoring);
  EXPECT_EQ(read_run_state(folder_ / "run" / "checkpoint-6").data.index, 12);
}

TEST_F(TrainerResume, ADamagedCheckpointIsNamedWithTheOneBefore) {
  const Settings settings = {output("run"), "save_steps=2", "max_steps=4"};
  train(settings);
  const Path newest = folder_ / "run" / "checkpoint-4", before = folder_ / "run" / "checkpoint-2";
  for (const char* name : {"model.safetensors", kOptimizerName, kTrainerStateName}) {
    std::filesystem::resize_file(newest / name, std::filesystem::file_size(newest / name) / 2);
    Settings rest = settings;
    rest.push_back("resume_from_checkpoint=auto");
    const std::string reason = message_of([&] { train(rest); });
    EXPECT_NE(reason.find(fmt::format("; if {} is damaged, resume_from_checkpoint={} with "
                                      "overwrite_output_dir=true goes on from the one before",
                                      newest.string(), before.string())),
              std::string::npos)
        << name << ": " << reason;
  }
  Settings on = settings;
  on.insert(on.end(), {"resume_from_checkpoint=" + before.string(), "overwrite_output_dir=true"});
  EXPECT_EQ(train(on).steps, 4);
}

}  // namespace
}  // namespace galore
