// Trains every architecture with both drivers, recomputation and projected gradients, and checks the memory
// plan and resuming.
#include "checkpoint/hugging_face.h"
#include "train/test_run.h"

namespace galore {
namespace {

struct ArchitectureCase {
  const char* name;
  const char* keys;
};

constexpr ArchitectureCase kCases[] = {
    {"mistral", R"("sliding_window": 6)"},
    {"qwen2", R"("use_sliding_window": true, "sliding_window": 6, "max_window_layers": 1)"},
    {"qwen3", R"("head_dim": 12, "tie_word_embeddings": true)"},
    {"gpt2", R"("n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64)"},
    {"olmo2", R"("pad_token_id": null)"},
    {"smollm3", R"("no_rope_layers": [1, 0], "attention_dropout": 0.1)"},
    {"granite", R"("embedding_multiplier": 2, "residual_multiplier": 0.5, "logits_scaling": 2,
                   "attention_multiplier": 0.25)"},
    {"ernie4_5", R"("head_dim": 8)"},
    {"phi3", R"("sliding_window": 6, "resid_pdrop": 0.1, "pad_token_id": null)"},
    {"gemma2", R"("head_dim": 8, "sliding_window": 6, "query_pre_attn_scalar": 8)"},
    {"gemma3_text", R"("head_dim": 8, "sliding_window": 6, "sliding_window_pattern": 2,
                       "query_pre_attn_scalar": 8)"},
    {"gpt_neox", R"("hidden_dropout": 0.1)"},
    {"olmo3", R"("sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"],
                 "pad_token_id": null)"},
    {"qwen3_moe", R"("head_dim": 8, "num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 24,
                     "norm_topk_prob": true, "output_router_logits": true, "router_aux_loss_coef": 0.01)"}};

class ArchitectureRun : public TestRun, public testing::WithParamInterface<ArchitectureCase> {
 protected:
  ArchitectureRun() {
    const std::string shared = R"("vocab_size": 64, "hidden_size": 32, "intermediate_size": 48,
      "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
      "max_position_embeddings": 64)";
    write_file_atomically(folder_ / "tiny.json", std::string(R"({"model_type": ")") + GetParam().name +
                                                     "\", " + GetParam().keys + ", " + shared + "}");
  }
  TrainResult run(const std::string& name, Settings settings) {
    settings.push_back(output(name));
    return train(settings);
  }
};

TEST_P(ArchitectureRun, DriversAndRecomputationGiveTheSameWeights) {
  const Settings settings{"optim=galore_adamw", "gradient=projected", "max_steps=6",
                          "gradient_accumulation_steps=2"};
  const auto with = [&](const std::string& name, const Settings& more) {
    return run(name, joined(settings, more));
  };
  with("whole", {});
  with("layers", {"optim_layerwise=true", "gradient_checkpointing=true"});
  EXPECT_EQ(weights("whole"), weights("layers"));
  EXPECT_EQ(events("whole", "step").size(), 6u);
}

// Guessing costs ln 64 = 4.16 per token. Nine of ten tokens follow a rule from the token before, and a model
// that has learnt the rule pays about 0.7.
TEST_P(ArchitectureRun, LearnsTheRuleOfItsTokens) {
  const TrainResult result = run("run", {eval_file(), "optim=galore_adamw", "max_steps=150"});
  EXPECT_GT(events("run", "step").front().at("loss"), 3.9);
  EXPECT_LT(result.evaluation->value("eval_loss"), 2.0) << "on tokens that were not trained on";
}

TEST_P(ArchitectureRun, ResumesToTheBit) {
  const Settings settings{"optim=galore_adamw_8bit_layerwise", "bf16=true", "save_steps=3", "max_steps=8"};
  run("whole", settings);
  Settings rest = settings;
  rest.push_back("resume_from_checkpoint=" + (folder_ / "whole" / "checkpoint-3").string());
  run("rest", rest);
  EXPECT_EQ(weights("whole"), weights("rest"));
  EXPECT_NE(weights("whole"), weights("whole/checkpoint-3"));
}

TEST_P(ArchitectureRun, ThePlanIsWhatIsAllocated) {
  for (const char* driver : {"optim_layerwise=false", "optim_layerwise=true"})
    for (const char* recomputation : {"gradient_checkpointing=false", "gradient_checkpointing=true"})
      expect_plan({"optim=galore_adamw_8bit", "bf16=true", driver, recomputation}, 2);
  expect_plan({"optim=q_galore_adamw_8bit", "bf16=true"}, 1);
}

// The saved model has the trained architecture, and training can continue from it.
TEST_P(ArchitectureRun, ASavedModelIsTakenUp) {
  run("first", {"max_steps=2"});
  EXPECT_EQ(read_model_config(folder_ / "first").model_type, GetParam().name);
  run("second", {"config_name=", "model_name_or_path=" + (folder_ / "first").string(), "max_steps=2",
                 "learning_rate=0"});
  EXPECT_EQ(weights("first"), weights("second"));
}

// With fewer tokens than experts most experts rest in every update, and the plan has no token for each.
TEST_F(TestRun, DriversAgreeWhereMostExpertsRest) {
  write_file_atomically(folder_ / "tiny.json",
                        R"({"model_type": "qwen3_moe", "vocab_size": 64, "hidden_size": 32, "head_dim": 8,
      "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
      "max_position_embeddings": 64, "num_experts": 70, "num_experts_per_tok": 1,
      "moe_intermediate_size": 8})");
  const Settings settings{"optim=galore_adamw", "gradient=projected", "max_steps=4",
                          "per_device_train_batch_size=1", "max_length=16"};
  const auto with = [&](const std::string& name, const char* driver) {
    Settings all = settings;
    all.insert(all.end(), {driver, output(name)});
    train(all);
  };
  with("whole", "optim_layerwise=false");
  with("layers", "optim_layerwise=true");
  EXPECT_EQ(weights("whole"), weights("layers"));
}

INSTANTIATE_TEST_SUITE_P(All, ArchitectureRun, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace galore
