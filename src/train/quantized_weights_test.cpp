// Tests weights in 8-bit codes, from the first update to the saved files.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "checkpoint/hugging_face.h"
#include "kernels/group_quantize.h"
#include "train/replay.h"
#include "train/test_run.h"
#include "train/test_scripted_model.h"

namespace galore {
namespace {

const std::string kArgs = "optim_args=rank=8,update_proj_gap=4,min_8bit_size=0,weight_group_size=64";

class CodedRun : public TestRun {
 protected:
  TrainResult train_coded(const std::string& name, Settings settings, const Script& script = {}) {
    settings.insert(settings.begin(), {"optim=q_galore_adamw_8bit", kArgs, output(name)});
    return train(settings, scripted(script));
  }
};

// Returns a weight decoded from the codes in a checkpoint's optimizer state.
at::Tensor decoded(const SafetensorsReader& optimizer, const std::string& name) {
  const at::Tensor codes = optimizer.read(name + ".weight_codes");
  const GroupQuantized all{codes,
                           optimizer.read(name + ".weight_scales"),
                           optimizer.read(name + ".weight_zeros"),
                           codes.sizes().vec(),
                           {8, 64}};
  const at::Tensor values = at::empty(codes.sizes(), at::kFloat);
  kernels::decode_groups(all, values);
  return values;
}

TEST_F(CodedRun, TheModelFileHoldsWhatTheCodesStandFor) {
  for (const bool narrow : {false, true}) {
    const std::string name = narrow ? "bf16" : "fp32";
    train_coded(name, {"max_steps=3", "save_steps=3", narrow ? "bf16=true" : "bf16=false"});
    const Path checkpoint = folder_ / name / "checkpoint-3";
    const SafetensorsReader model(checkpoint / "model.safetensors"), state(checkpoint / kOptimizerName);
    int64_t num_coded = 0;
    for (const TensorInfo& info : model.tensors()) {
      EXPECT_EQ(info.dtype, narrow ? at::kBFloat16 : at::kFloat);
      if (!state.find(info.name + ".weight_codes")) continue;
      ++num_coded;
      EXPECT_TRUE(model.read(info.name).equal(decoded(state, info.name).to(info.dtype))) << info.name;
    }
    EXPECT_EQ(num_coded, 2 * 7);
    EXPECT_EQ(file_text(checkpoint / "model.safetensors"), weights(name));
    EXPECT_EQ(file_text(checkpoint / "config.json").find("quantization"), std::string::npos);
  }
}

// Quantizing the weights in the model's file again would give another model.
TEST_F(CodedRun, TheBestModelComesBackExactly) {
  Script script;
  script.evaluate = [](int64_t number, double) { return number == 2 ? 1.0 : 2.0; };
  train_coded("run",
              {eval_file(), "per_device_eval_batch_size=100", "max_steps=4", "eval_steps=1", "save_steps=1",
               "bf16=true", "load_best_model_at_end=true"},
              script);
  EXPECT_NE(log_.find("the last model is that of " + (folder_ / "run" / "checkpoint-2").string()),
            std::string::npos);
  EXPECT_EQ(weights("run"), weights("run/checkpoint-2"));
  EXPECT_NE(weights("run"), weights("run/checkpoint-4"));
}

TEST_F(CodedRun, ASavedModelIsTakenUpInCodes) {
  train_coded("first", {"max_steps=2"});
  train_coded("second", {"config_name=", "model_name_or_path=" + (folder_ / "first").string(), "max_steps=1",
                         "learning_rate=0", "optim_args=" + kArgs.substr(11) + ",stochastic_round=false"});
  const SafetensorsReader first(folder_ / "first" / "model.safetensors"),
      second(folder_ / "second" / "model.safetensors");
  for (const TensorInfo& info : first.tensors()) {
    const at::Tensor before = first.read(info.name), after = second.read(info.name);
    // Decoded weights are quantized twice. Each time costs half a step of 0.2 / 255, given the initializer's
    // range of 0.02.
    EXPECT_LT((before - after).abs().max().item<float>(), 1e-3f) << info.name;
  }
}

// A weight that is not finite is noticed although its codes are numbers.
TEST_F(CodedRun, WeightsThatAreNotFiniteStopTheRun) {
  const std::string reason = message_of([&] {
    train_coded("run",
                {"max_steps=2", "save_steps=1", "optim_overrides=pattern=_proj,learning_rate_factor=1e42"});
  });
  EXPECT_NE(reason.find("_proj.weight holds values that are not finite"), std::string::npos) << reason;
  EXPECT_EQ(checkpoints("run"), (std::vector<int64_t>{}));
}

TEST_F(CodedRun, CopiesInFp32AreRefused) {
  const std::string reason = message_of([&] {
    train_coded("run", {"bf16=true", "master_weights=true", "max_steps=1"});
  });
  EXPECT_NE(reason.find("[master_weights] expected false"), std::string::npos) << reason;
}

// The plan equals the allocated bytes of every owner, for both drivers, with and without accumulation.
TEST_F(CodedRun, ThePlanIsWhatIsAllocated) {
  for (const std::string layerwise : {"false", "true"})
    for (const int64_t micro_batches : {1, 2})
      expect_plan({"optim=q_galore_adamw_8bit", kArgs, "bf16=true", "optim_layerwise=" + layerwise},
                  micro_batches);
}

// The plan for AdamW, which serves as the baseline of the saving, keeps weights in bf16.
TEST_F(CodedRun, ThePlanOfAdamWHasNoCodes) {
  train_coded("coded", {"bf16=true", "max_steps=1"});
  train({"bf16=true", "max_steps=1", output("plain")});
  const auto coded = events("coded", "memory").at(0), plain = events("plain", "memory").at(0);
  EXPECT_EQ(coded.at("adamw_bytes"), plain.at("adamw_bytes"));
  EXPECT_LT(coded.at("weights"), plain.at("weights"));
}

// Half of the layers are in codes and the others in bf16.
TEST_F(CodedRun, OnlyTargetsAreCoded) {
  train_coded("run", {"max_steps=2", "save_steps=2", "optim_target_modules=self_attn",
                      "optim_overrides=pattern=layers.0,optim=adamw"});
  const SafetensorsReader state(folder_ / "run" / "checkpoint-2" / kOptimizerName);
  int64_t num_coded = 0;
  for (const TensorInfo& info : state.tensors()) {
    if (!info.name.ends_with(".weight_codes")) continue;
    ++num_coded;
    EXPECT_NE(info.name.find("layers.1.self_attn"), std::string::npos) << info.name;
  }
  EXPECT_EQ(num_coded, 4);
}

// Replay returns decoded weights in the dtype of the trace.
TEST_F(CodedRun, ReplayDecodes) {
  const std::string target = "model.layers.0.mlp.up_proj.weight", other = "model.norm.weight";
  at::manual_seed(1);
  std::vector<TensorToWrite> tensors{{"weights/" + target, at::randn({24, 16}).to(at::kBFloat16)},
                                     {"weights/" + other, at::randn({16})}};
  for (int step = 0; step < 3; ++step) {
    tensors.emplace_back(fmt::format("gradients/{}/{}", step, target), at::randn({24, 16}));
    tensors.emplace_back(fmt::format("gradients/{}/{}", step, other), at::randn({16}));
  }
  write_safetensors(folder_ / "trace.safetensors", tensors);
  const SafetensorsReader trace(folder_ / "trace.safetensors");
  const auto result = [&](const std::string& args) {
    ReplayOptions options;
    options.optim = "q_galore_adamw_8bit";
    options.optim_args = "rank=4" + args;
    return replay(trace, options, {}).weights;
  };
  const auto coded = result(",stochastic_round=false"), plain = result(",weight_bits=16");
  ASSERT_EQ(coded.size(), 6u);
  for (size_t i = 0; i < coded.size(); ++i) {
    EXPECT_EQ(coded[i].name, plain[i].name);
    EXPECT_EQ(coded[i].value.scalar_type(), plain[i].value.scalar_type());
    const bool equal = coded[i].value.equal(plain[i].value);
    EXPECT_EQ(equal, coded[i].name.ends_with(other));
    // The weights reach up to 3. The codes have 255 steps, and the results are rounded to bf16.
    EXPECT_TRUE(coded[i].value.allclose(plain[i].value, 0.01, 0.05)) << coded[i].name;
  }
}

}  // namespace
}  // namespace galore
