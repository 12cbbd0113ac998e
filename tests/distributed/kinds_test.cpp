// Every kind of training on several processes has the bits of one process.
#include "core/test_message.h"
#include "encoders/encoder_run.h"
#include "optim/presets.h"
#include "together.h"
#include "train/memory_fit.h"
#include "train/test_chat_run.h"
#include "train/test_mixture_training.h"
#include "train/test_score_run.h"

namespace galore {
namespace {

class TogetherPlain : public Together<TestRun> {
 protected:
  static Settings adapted(const std::string& kind, const std::string& args, const Settings& more = {}) {
    return joined({"adapter=" + kind, "adapter_args=" + args, "optim=adamw_torch",
                   "optim_args=", "max_steps=4", "save_steps=4"},
                  more);
  }
  // Returns "rank=4,update_proj_gap=2" as far as the method has these options.
  static std::string small_arguments(const Preset& preset) {
    OptimizerSettings settings = preset.settings();
    OptionTable table;
    declare_options(table, settings);
    std::string text;
    for (const auto& [name, value] : {std::pair{"rank", "4"}, {"update_proj_gap", "2"}})
      if (table.find(name)) text += fmt::format("{}{}={}", text.empty() ? "" : ",", name, value);
    return text;
  }
};

TEST_F(TogetherPlain, EveryPresetInBothDrivers) {
  for (const Preset& preset : presets())
    for (const std::string layerwise : {"false", "true"})
      expect_the_run_of_one(
          preset.name + layerwise,
          {"optim=" + preset.name, "optim_args=" + small_arguments(preset), "optim_layerwise=" + layerwise,
           "max_steps=3", "save_steps=3", "learning_rate=0.001"},
          2, 2);
}

// The bytes that a process has sent are those that `galore memory` says.
TEST_F(TogetherPlain, SendThePlannedBytes) {
  const Settings settings{"optim_args=rank=4,update_proj_gap=1000,refresh=together", "max_steps=3"};
  for (const std::string layerwise : {"false", "true"}) {
    Settings all = joined(settings, {"optim_layerwise=" + layerwise, output(layerwise)});
    train_together(2, all);
    TrainOptions options;
    OptionTable table;
    options.processes = options.local_processes = 2;
    resolve_settings(all, options, table);
    const MemoryPlan plan = plan_fit(options, model_config_of(options), {int64_t{1} << 40, 0, "test"}).plan;
    const auto steps = events(layerwise, "step");
    EXPECT_EQ(steps.at(2).at("exchange_bytes"), plan.sent[0]);
    EXPECT_GT(steps.at(0).at("exchange_bytes"), plan.sent[0]);
  }
}

TEST_F(TogetherPlain, NumberFormatsAndLifts) {
  const Settings same{"max_steps=4", "save_steps=4"};
  int number = 0;
  for (const Settings& more :
       std::vector<Settings>{{"dtype=bfloat16"},
                             {"dtype=bfloat16", "master_weights=true", "exchange_dtype=bfloat16"},
                             {"optim=q_galore_adamw_8bit", "dtype=bfloat16"},
                             {"lift=lazy"},
                             {"max_grad_norm=0.1", "grad_norm=projected"},
                             {"max_grad_norm=0.1", "optim_layerwise=true"},
                             {"exchange_dtype=bfloat16", "exchange_updates=owners"},
                             {"exchange_updates=all"},
                             {"gradient_checkpointing=true"}})
    expect_the_run_of_one("format" + std::to_string(number++), joined(same, more), 4);
}

TEST_F(TogetherPlain, Adapters) {
  expect_the_run_of_one("lora", adapted("lora", "r=3,lora_dropout=0.2", {eval_file(), "eval_steps=2"}));
  expect_the_run_of_one("dora", adapted("dora", "r=3,lora_dropout=0.2", {"optim_layerwise=true"}));
  for (const std::string start : {"pissa", "eva", "lora_one"})
    expect_the_run_of_one(start, adapted("lora", "r=3,init_lora_weights=" + start));
  expect_the_run_of_one("relora", adapted("relora", "r=4,relora_steps=2", {"optim_layerwise=true"}));
}

// Seven processes have groups that are no common subtree.
TEST_F(TogetherPlain, SevenAndEightProcesses) {
  const auto with = [&](const std::string& name) {
    return Settings{"per_device_train_batch_size=1",
                    "total_batch_size=8",
                    "reduction_groups=8",
                    "max_steps=3",
                    "save_steps=3",
                    output(name)};
  };
  train(with("one"));
  for (const int64_t processes : {7, 8}) {
    const std::string name = std::to_string(processes);
    train_together(processes, with(name));
    expect_equal_files("one", name);
  }
}

TEST_F(TogetherPlain, TheBatchSizeFitsOnEveryProcess) {
  TrainOptions options;
  OptionTable table;
  options.processes = 2;
  resolve_settings({"gradient_accumulation_steps=2", "auto_find_batch_size=true"}, options, table);
  const ModelConfig config = model_config_of(options);
  const auto need_of = [&](int64_t rows) {
    TrainOptions smaller = options;
    set_batch_size(smaller, {rows, 16 / rows});
    return plan_fit(smaller, config, {0, 0, "test"}).need();
  };
  in_processes(2, [&](Exchange& exchange) {
    TrainOptions own = options;
    own.process = exchange.index();
    std::string said;
    // The first process has enough for 4 rows, the second one for 2.
    const MemoryAtHand at_hand{exchange.index() == 0 ? need_of(4) : need_of(2), 0, "test"};
    const auto say = [&](const std::string& line) { said += line; };
    EXPECT_TRUE(require_fit(own, config, at_hand, {}, say, exchange).fits());
    EXPECT_EQ(own.per_device_train_batch_size, 2);
    EXPECT_EQ(own.gradient_accumulation_steps, 8);
    EXPECT_EQ(contains(said, "a process with less memory takes"), exchange.index() == 0) << said;
  });
}

class TogetherMixture : public Together<MixtureTraining> {};

TEST_F(TogetherMixture, LearnsTheSameWeights) {
  const std::vector<std::string> learned{"gar,update_steps=2,target=clean,inner=both",
                                         "gar,update_steps=2,form=directional,final_weights=average",
                                         "doge,update_steps=2,mu=0.001", "aioli,update_steps=7,lp_steps=2"};
  expect_the_run_of_one("fixed", with({sources(",weight=2", ",weight=1", ",weight=1,max_epochs=0.2")}));
  for (const std::string& text : learned) {
    const size_t comma = text.find(',');
    const Settings settings = with({sources(), "mixture_learning=" + text.substr(0, comma),
                                    "mixture_args=" + text.substr(comma + 1), "max_steps=8", "save_steps=4"});
    expect_the_run_of_one(text.substr(0, comma) + std::to_string(comma + text.size()), settings, 2, 2);
  }
}

class TogetherChat : public Together<ChatRun> {};

TEST_F(TogetherChat, ConversationsAndPreferences) {
  std::string talks, pairs;
  for (char letter = 'a'; letter < 's'; ++letter) {
    talks += conversation(std::string(1, letter), "yes");
    pairs += preference(std::string(1, letter), "good", "bad");
  }
  const std::string talk_file = rows("talks.jsonl", talks), pair_file = rows("pairs.jsonl", pairs);
  const Settings same{"num_train_epochs=1", "save_strategy=epoch", "eval_steps=1",
                      "per_device_train_batch_size=2"};
  // 18 rows in micro-batches of 2 are two updates of four micro-batches and one of one, in which a process
  // is idle.
  Settings sft = chat({"stage=sft", "train_file=" + talk_file, "eval_file=" + talk_file, "packing=false"});
  Settings dpo = chat({"task=dpo", "train_file=" + pair_file, "eval_file=" + pair_file});
  for (Settings* settings : {&sft, &dpo}) settings->insert(settings->end(), same.begin(), same.end());
  expect_the_run_of_one("sft", sft);
  expect_the_run_of_one("dpo", dpo);
}

class TogetherEpisodes : public Together<Episodes> {};

TEST_F(TogetherEpisodes, EveryValueHeadAndTargetNetwork) {
  const Settings same{"max_steps=3", "save_steps=3", "eval_steps=3", "target_update_interval=2"};
  int number = 0;
  for (const Settings& way :
       std::vector<Settings>{{"value_head=mse"},
                             {"value_head=hl_gauss"},
                             {"target_network=head", "td_steps=2", "value_head=two_hot"},
                             {"target_network=head", "value_head=quantile"},
                             {"target_network=model", "target_tau=0.2", "value_head=c51"}}) {
    Settings all = episode_run("value", contains(way.front(), "value_head") ? 1 : 0, way);
    all.insert(all.end(), same.begin(), same.end());
    expect_the_run_of_one("value" + std::to_string(number++), all, 2, 2);
  }
  Settings actions = episode_run("q_value", 1, {"target_network=model", "cql_alpha=0.01", "value_head=mse"});
  actions.insert(actions.end(), {"save_strategy=epoch", "max_steps=-1", "num_train_epochs=1"});
  // 150 rows in micro-batches of 8 end with an update of 3 micro-batches.
  expect_the_run_of_one("actions", actions, 4);
}

class TogetherEncoder : public Together<EncoderRun> {};

TEST_F(TogetherEncoder, ClassesAndMaskedWords) {
  const Settings same{"optim=galore_adamw", "max_steps=3", "save_steps=3", "eval_steps=3"};
  for (const bool words : {false, true}) {
    const std::string file = (folder_ / (words ? "texts.jsonl" : "pairs.jsonl")).string();
    Settings all = words ? masked(same) : classifier(same);
    all.push_back("eval_file=" + file);
    expect_the_run_of_one(words ? "masked" : "classes", all);
  }
}

}  // namespace
}  // namespace galore
