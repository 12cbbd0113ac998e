// Runs of models with factors in place of matrices: resuming, files, the memory plan, published sizes.
#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "adapters/adapter_kind.h"
#include "checkpoint/layer_choice.h"
#include "checkpoint/safetensors.h"
#include "models/causal_lm.h"
#include "optim/presets.h"
#include "optim/quantized_weights.h"
#include "train/compress.h"
#include "train/test_options.h"
#include "train/test_run.h"

namespace galore {
namespace {

const std::vector<std::pair<std::string, std::string>> kFactoredKinds{
    {"low_rank", "r=8"},
    {"cola", "r=8"},
    {"sltrain", "r=4,alpha=8,density=0.1"},
    {"relora", "r=4,relora_steps=5,lora_dropout=0"},
    {"inrank", "r=1,buffer=6,start_steps=0,check_steps=1,threshold=1,growth_steps=14"},
    {"gradnormlorp", "r=4,merge_steps=4"},
    {"gradnormlorp", "variant=released"},
    {"poet_x", "block_size=16,merge_steps=4"}};
// The layers of these kinds have no matrix of the model's size.
const std::set<std::string> kReplacing{"low_rank", "cola", "sltrain", "inrank"};

class FactoredModels : public TestRun {
 protected:
  static Settings factored(const std::string& kind, const std::string& args, const Settings& more = {}) {
    return joined({"adapter=" + kind, "adapter_args=" + args, "optim=adamw_torch", "optim_args="}, more);
  }
};

TEST_F(FactoredModels, LearnAndResumeToTheBitInBothDrivers) {
  for (const auto& [kind, args] : kFactoredKinds) {
    std::string of_whole;
    for (const char* layerwise : {"false", "true"}) {
      const Settings same = factored(kind, args,
                                     {std::string("optim_layerwise=") + layerwise, "save_steps=10",
                                      "max_steps=20", "overwrite_output_dir=true"});
      train_and_resume(same, 10);
      const auto steps = events("whole", "step");
      EXPECT_LT(steps.back().at("loss").get<double>(), steps.front().at("loss").get<double>() - 0.3) << kind;
      for (const char* file : {"model.safetensors", "checkpoint-20/optimizer.safetensors"})
        expect_resumed(file, kind + layerwise);
      if (of_whole.empty()) of_whole = weights("whole");
      EXPECT_EQ(weights("whole"), of_whole) << kind;
    }
  }
}

// A frozen weight in 8-bit codes takes a merge, and its codes resume.
TEST_F(FactoredModels, MergeIntoWeightsInCodes) {
  for (const auto& [kind, args] : kFactoredKinds) {
    if (kind != "relora" && kind != "poet_x") continue;
    train_and_resume(factored(kind, args,
                              {"optim=q_galore_adamw_8bit", "optim_args=rank=4,weight_group_size=64",
                               "save_steps=3", "max_steps=6", "overwrite_output_dir=true"}),
                     3);
    const auto codes = [&](const char* file) {
      return SafetensorsReader(folder_ / file).read("model.layers.0.mlp.up_proj.weight.weight_codes");
    };
    EXPECT_FALSE(at::equal(codes("whole/checkpoint-3/optimizer.safetensors"),
                           codes("whole/checkpoint-6/optimizer.safetensors")))
        << kind;
    expect_resumed("checkpoint-6/optimizer.safetensors", kind);
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
  for (const auto& [kind, args] : kFactoredKinds) {
    if (!kReplacing.contains(kind)) continue;
    EXPECT_TRUE(contains(
        message_of([&] {
          build(factored(kind, args, {"config_name=", "model_name_or_path=" + (folder_ / "model").string()}));
        }),
        "the layers of " + kind + " replace the matrices"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "model" / kLayerChoiceName)) << "a plain model";
}

TEST_F(FactoredModels, ThePlanIsWhatIsAllocated) {
  for (const auto& [kind, args] : kFactoredKinds)
    for (const char* bits : {"bf16=false", "bf16=true"}) expect_plan(factored(kind, args, {bits}), 2);
}

// A plain model directory has the product in place of the factors, and computes the same.
TEST_F(FactoredModels, BecomePlainDirectories) {
  const at::Tensor ids = at::arange(16, at::kLong).view({1, 16});
  for (const auto& [kind, args] : kFactoredKinds) {
    if (kind == "cola") continue;
    train(factored(kind, args, {output("model"), "max_steps=4", "overwrite_output_dir=true"}));
    ModelSource source;
    source.model_name_or_path = (folder_ / "model").string();
    resolve_base_model(source);
    const RunObjects run = build_model(model_config_of(source), model_options(source, "cpu"), at::kCPU);
    set_weights(*run.model, source, 3);
    merge_layers(source, folder_ / "dense", *run.model);
    EXPECT_FALSE(read_layer_choice(folder_ / "dense")) << kind;
    const RunObjects dense = build({"config_name=", "model_name_or_path=" + (folder_ / "dense").string()});
    const auto logits_of = [&](const RunObjects& objects) {
      return as_causal_lm(*objects.model, "test").logits(ids);
    };
    // Products in another order round differently.
    EXPECT_LT((logits_of(run) - logits_of(dense)).abs().max().item<float>(), 1e-4f) << kind << args;
  }
}

TEST_F(FactoredModels, AreTrainedByEveryPreset) {
  const at::Tensor ids = at::arange(64, at::kLong).view({4, 16});
  for (const auto& [kind, args] : kFactoredKinds) {
    if (kind == "low_rank" || kind == "cola" || kind == "sltrain") continue;
    RunObjects plain = build(factored(kind, args));
    for (const Preset& preset : presets()) {
      TrainOptions options;
      OptionTable table;
      resolve_settings({"adapter=" + kind, "adapter_args=" + args, "optim=" + preset.name, "optim_args="},
                       options, table);
      // A preset with weights in codes, or a rank that grows, needs a model of its own.
      const bool needs_own = kind == "inrank" || quantizes_weights(options.optimizer);
      RunObjects own;
      if (needs_own)
        own = build({"adapter=" + kind, "adapter_args=" + args, "optim=" + preset.name, "optim_args="});
      RunObjects& run = needs_own ? own : plain;
      run.optimizer = nullptr;
      add_optimizer(run, options.optimizer, 0.01);
      for (int update = 0; update < (kind == "inrank" ? 2 : 1); ++update) {
        run.optimizer->begin_update(1e-3, 1);
        as_causal_lm(*run.model, "test").train_step(ids, ids, 0.01);
        run.optimizer->finish_update();
      }
      const at::Tensor loss = as_causal_lm(*run.model, "test").logits(ids).sum();
      EXPECT_TRUE(std::isfinite(loss.item<double>())) << kind << " " << preset.name;
    }
  }
}

// The rank grows until growth ends; the log has the ranks and their mean.
TEST_F(FactoredModels, LogTheRankThatGrows) {
  train(factored("inrank", "r=1,buffer=3,start_steps=1,check_steps=2,threshold=0.99,growth_steps=7",
                 {output("run"), "max_steps=9"}));
  std::vector<double> ranks;
  for (const auto& step : events("run", "step")) ranks.push_back(step.at("mean_rank").get<double>());
  EXPECT_EQ(ranks.front(), 1);
  EXPECT_GT(ranks.at(3), ranks.at(0));
  EXPECT_EQ(ranks.at(8), ranks.at(6)) << "growth has ended";
  EXPECT_TRUE(std::is_sorted(ranks.begin(), ranks.end()));
  EXPECT_FALSE(events("run", "subspace").empty());
  const SafetensorsReader weights(folder_ / "run" / "model.safetensors");
  double sum = 0;
  int64_t count = 0;
  for (const TensorInfo& info : weights.tensors())
    if (info.name.ends_with("factor_A.weight")) sum += static_cast<double>(info.shape[0]), ++count;
  EXPECT_EQ(sum / static_cast<double>(count), ranks.back()) << "the buffer is gone";
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
