// Runs that train adapters: what is frozen, what is saved, resuming to the bit, the memory plan, and one line
// for everything that does not fit.
#include <gtest/gtest.h>

#include "adapters/adapted_layers.h"
#include "checkpoint/peft_directory.h"
#include "checkpoint/safetensors.h"
#include "models/causal_lm.h"
#include "models/gradient_collector.h"
#include "train/run_state.h"
#include "train/test_options.h"
#include "train/test_run.h"

namespace galore {
namespace {

constexpr const char* kKinds[] = {"lora", "rslora", "dora", "lora_plus"};

class Adapters : public TestRun {
 protected:
  Settings adapted(const std::string& kind, const Settings& more = {}) const {
    return joined({"adapter=" + kind, "adapter_args=r=3,lora_alpha=6,lora_dropout=0.2", "optim=adamw_torch",
                   "optim_args="},
                  more);
  }
  // Returns the message of the Error that a run with these settings gives.
  std::string refusal(const Settings& settings) {
    return message_of([&] { train(settings); });
  }
  Path some_adapter(const std::string& name = "adapter") {
    train(adapted("lora", {output(name), "max_steps=1"}));
    return folder_ / name;
  }
};

at::Tensor ids() { return at::arange(64, at::kLong).mul(7).remainder(64).view({4, 16}); }

TEST_F(Adapters, TheFirstOutputIsThatOfTheModel) {
  const auto logits = [&](const Settings& settings) {
    const RunObjects run = build(settings);
    return as_causal_lm(*run.model, "test").logits(ids());
  };
  const at::Tensor plain = logits({});
  for (const char* kind : kKinds)
    // DoRA multiplies each row by its norm and divides by it, which rounds.
    EXPECT_TRUE(logits(adapted(kind)).allclose(plain, 1e-5, 1e-6)) << kind;
}

TEST_F(Adapters, OnlyTheAdapterIsTrained) {
  const Settings settings = adapted("dora", {"additional_target=lm_head"});
  const RunObjects run = build(settings);
  for (const Parameter* parameter : run.model->parameters())
    EXPECT_EQ(parameter->trainable, parameter->role == Role::adapter || parameter->role == Role::head)
        << parameter->name;
}

TEST_F(Adapters, BiasesAndLayersAreChosenAsPeftDoes) {
  const RunObjects run = build({"adapter=lora",
                                "adapter_args={\"r\": 2, \"target_modules\": [\"q_proj\", "
                                "\"v_proj\"], \"layers_to_transform\": [1]}"});
  const std::vector<std::string> expected{"model.layers.1.self_attn.q_proj",
                                          "model.layers.1.self_attn.v_proj"};
  EXPECT_EQ(run.model->adapted()->places(), expected);
}

// PEFT's expression takes a pattern at the beginning of a name, too.
TEST_F(Adapters, LayersAreCountedBehindTheirPattern) {
  const auto places = [&](const std::string& pattern) {
    return build({"adapter=lora", R"(adapter_args={"r": 2, "target_modules": ["q_proj"], )"
                                  R"("layers_to_transform": 1, "layers_pattern": )" +
                                      pattern + "}"})
        .model->adapted()
        ->places();
  };
  const std::vector<std::string> expected{"model.layers.1.self_attn.q_proj"};
  EXPECT_EQ(places(R"("model.layers")"), expected);
  EXPECT_EQ(places(R"+(["h", "(layers|blocks)"])+"), expected);
}

TEST_F(Adapters, AllLinearIsSavedAsNames) {
  for (const std::string target : {"", ",target_modules=all-linear"}) {
    const RunObjects run = build({"adapter=lora", "adapter_args=r=2" + target});
    EXPECT_EQ(run.model->adapted()->peft_config()["target_modules"].size(), 14U) << target;
  }
}

// The loss is computed in fp32, so a difference of 0.02 in the argument leaves three digits. Dropout draws
// the same masks for the same update.
TEST_F(Adapters, GradientsAreTheDerivativesWithDropout) {
  for (const std::string kind : {"lora", "dora"}) {
    const RunObjects run = build(adapted(kind));
    CausalLM& model = as_causal_lm(*run.model, "test");
    model.set_dropout({5, 1, 0});
    GradientCollector gradients(model.parameters(), *run.ledger, at::kFloat);
    const auto loss = [&] { return model.train_step(ids(), ids(), 1).loss; };
    for (Parameter* parameter : model.parameters()) {
      // A direction's norm counts as a constant in DoRA's gradients of A and B.
      if (!parameter->trainable || (kind == "dora" && parameter->sizes().size() > 1)) continue;
      for (Parameter* other : model.parameters())
        if (other->name.ends_with("lora_B.weight") && kind == "lora") other->value.fill_(0.05);
      gradients.clear();
      loss();
      const at::Tensor gradient = gradients[parameter->name].gradient().clone();
      const at::Tensor direction = gradient / gradient.norm(), before = parameter->value.clone();
      parameter->value.copy_(before + 0.02 * direction);
      const double above = loss();
      parameter->value.copy_(before - 0.02 * direction);
      const double below = loss();
      parameter->value.copy_(before);
      EXPECT_NEAR((above - below) / 0.04 / gradient.norm().item<double>(), 1, 1e-2)
          << kind << parameter->name;
    }
  }
}

TEST_F(Adapters, ARunResumesToTheBitInBothDrivers) {
  for (const char* kind : kKinds)
    for (const char* layerwise : {"false", "true"}) {
      const Settings same = adapted(kind, {std::string("optim_layerwise=") + layerwise, "save_steps=3",
                                           "max_steps=6", "overwrite_output_dir=true"});
      train_and_resume(same, 3);
      for (const char* file : {kAdapterWeightsName, "checkpoint-6/optimizer.safetensors"})
        expect_resumed(file, kind);
      EXPECT_FALSE(std::filesystem::exists(folder_ / "whole" / "model.safetensors"));
    }
}

TEST_F(Adapters, GradientCheckpointingChangesNoBit) {
  for (const char* kind : kKinds) {
    train(adapted(kind, {output("kept"), "max_steps=4", "overwrite_output_dir=true"}));
    train(adapted(kind, {output("recomputed"), "max_steps=4", "overwrite_output_dir=true",
                         "gradient_checkpointing=true"}));
    EXPECT_EQ(file_text(folder_ / "kept" / kAdapterWeightsName),
              file_text(folder_ / "recomputed" / kAdapterWeightsName))
        << kind;
  }
}

TEST_F(Adapters, BothDriversGiveTheSameAdapter) {
  for (const char* kind : kKinds) {
    train(adapted(kind, {output("whole"), "max_steps=4", "overwrite_output_dir=true"}));
    train(adapted(kind,
                  {output("layers"), "max_steps=4", "overwrite_output_dir=true", "optim_layerwise=true"}));
    EXPECT_EQ(file_text(folder_ / "whole" / kAdapterWeightsName),
              file_text(folder_ / "layers" / kAdapterWeightsName))
        << kind;
  }
}

TEST_F(Adapters, ThePlanIsWhatIsAllocated) {
  for (const char* kind : kKinds)
    for (const char* bits : {"bf16=false", "bf16=true"}) expect_plan(adapted(kind, {bits}), 2);
  for (const char* quantization : {"nf4", "int8"})
    for (const char* bits : {"bf16=false", "bf16=true"})
      expect_plan(adapted("lora", {bits, std::string("quantization=") + quantization}), 2);
  expect_plan(adapted("lora", {"adapter_args=r=3,target_modules=embed_tokens,lm_head,q_proj"}), 2);
  expect_plan(adapted("lora", {"adapter_args=r=3,init_lora_weights=pissa"}), 2);
}

TEST_F(Adapters, TheHeadDropsElementsByTokenInEveryChunk) {
  const Settings settings = adapted("lora", {"adapter_args=r=3,lora_dropout=0.5,target_modules=lm_head"});
  const RunObjects run = build(settings);
  CausalLM& model = as_causal_lm(*run.model, "test");
  for (Parameter* parameter : model.parameters())
    if (parameter->name.ends_with("lora_B.weight")) parameter->value.fill_(1);
  const auto loss = [&](int64_t update) {
    model.set_dropout({5, update, 0});
    return model.train_step(ids(), ids(), 1).loss;
  };
  EXPECT_EQ(loss(1), loss(1));
  EXPECT_NE(loss(1), loss(2));
  EXPECT_NE(model.evaluate(ids(), ids()).loss, loss(1));
}

TEST_F(Adapters, ATiedHeadHasNoFactors) {
  std::string config = kTinyConfig;
  config.replace(config.find("_embeddings\": false"), 19, "_embeddings\": true");
  write_file_atomically(folder_ / "tiny.json", config);
  const auto args = [&](const std::string& text) {
    return refusal({"adapter=lora", "adapter_args=" + text});
  };
  EXPECT_TRUE(contains(args("target_modules=lm_head"), "tied"));
  EXPECT_TRUE(contains(args("modules_to_save=embed_tokens"), "tied"));
  EXPECT_TRUE(contains(args("modules_to_save=lm_head"), "lm_head is tied"));
  // The factors act on the embedding alone.
  const RunObjects run = build({"adapter=lora", "adapter_args=r=2,target_modules=embed_tokens"});
  CausalLM& model = as_causal_lm(*run.model, "test");
  GradientCollector gradients(model.parameters(), *run.ledger, at::kFloat);
  model.train_step(ids(), ids(), 1);
  EXPECT_GT(gradients["model.embed_tokens.lora_embedding_A"].gradient().abs().max().item<double>(), 0);
}

// The codes are made from the model's file again, so a checkpoint has the adapter alone.
TEST_F(Adapters, AQuantizedBaseResumesToTheBit) {
  train({output("base"), "max_steps=1"});
  for (const std::string format : {"nf4", "int8"}) {
    const Settings same = adapted(
        "dora", {"config_name=", "model_name_or_path=" + (folder_ / "base").string(),
                 "quantization=" + format, "save_steps=3", "max_steps=6", "overwrite_output_dir=true"});
    train_and_resume(same, 3);
    for (const char* file : {kAdapterWeightsName, "checkpoint-6/optimizer.safetensors"})
      expect_resumed(file, format);
    const SafetensorsReader state(folder_ / "whole" / "checkpoint-6" / "optimizer.safetensors");
    for (const TensorInfo& info : state.tensors())
      EXPECT_EQ(info.name.find("weight_codes"), std::string::npos) << info.name;
  }
}

TEST_F(Adapters, AQuantizedBaseIsNearTheModel) {
  const auto logits = [&](const Settings& settings) {
    const RunObjects run = build(settings);
    return as_causal_lm(*run.model, "test").logits(ids());
  };
  const at::Tensor plain = logits(adapted("lora"));
  // Codes of 8 bits have an error of about 0.3 % of a weight's deviation, and NF4 of about 10 %; the logits
  // are sums over some layers of those.
  for (const auto& [format, error] : {std::pair{"int8", 0.02}, {"nf4", 0.4}}) {
    const at::Tensor quantized = logits(adapted("lora", {std::string("quantization=") + format}));
    const double difference = ((quantized - plain).norm() / plain.norm()).item<double>();
    EXPECT_LT(difference, error) << format;
    EXPECT_GT(difference, error / 100) << format;
  }
}

TEST_F(Adapters, QuantizationHasTheNamesOfOtherPrograms) {
  const auto format = [&](const std::string& setting) {
    return Given({"adapter=lora", setting}).options.quantization;
  };
  EXPECT_EQ(format("load_in_4bit=true"), "nf4");
  EXPECT_EQ(format("load_in_8bit=true"), "int8");
  EXPECT_EQ(format("quantization_bit=4"), "nf4");
  EXPECT_EQ(format("bnb_4bit_quant_type=nf4"), "none");
  EXPECT_TRUE(contains(refusal({"quantization=nf4"}), "quantization"));
  EXPECT_TRUE(
      contains(refusal({"quantization=nf4", "adapter=low_rank", "adapter_args=r=4"}), "quantization"));
  EXPECT_TRUE(contains(refusal({"adapter=lora", "quantization_bit=2"}), "quantization_bit"));
  EXPECT_TRUE(contains(refusal({"adapter=lora", "bnb_4bit_quant_type=fp4"}), "fp4"));
  EXPECT_TRUE(contains(refusal({"adapter=lora", "load_in_4bit=true", "load_in_8bit=true"}), "load_in_8bit"));
}

TEST_F(Adapters, LoraPlusMultipliesTheRateOfB) {
  const auto change = [&](const Settings& settings, const std::string& name) {
    train(adapted("lora_plus", settings));
    const SafetensorsReader before(folder_ / "start" / kAdapterWeightsName);
    const SafetensorsReader after(folder_ / "end" / kAdapterWeightsName);
    return (after.read(name) - before.read(name)).abs().max().item<double>();
  };
  train(adapted("lora", {output("start"), "max_steps=1"}));
  const std::string module = "base_model.model.model.layers.0.mlp.up_proj.lora_";
  for (const auto& [factor, rate] : {std::pair{"A", 0.01}, {"B", 0.04}}) {
    Settings settings{
        output("end"),         "max_steps=1",   "overwrite_output_dir=true",
        "loraplus_lr_ratio=4", "adapter_args=", "adapter_name_or_path=" + (folder_ / "start").string()};
    // The first step of AdamW is as long as the rate where the gradient is well above epsilon.
    EXPECT_NEAR(change(settings, module + factor + ".weight") / rate, 1, 1e-2) << factor;
  }
}

TEST_F(Adapters, TrainingGoesOnFromAnAdapter) {
  const Path first = some_adapter();
  train(adapted("lora", {output("next"), "max_steps=1", "learning_rate=0",
                         "adapter_args=", "adapter_name_or_path=" + first.string()}));
  EXPECT_EQ(file_text(first / kAdapterWeightsName), file_text(folder_ / "next" / kAdapterWeightsName));
  EXPECT_EQ(read_adapter_config(first), read_adapter_config(folder_ / "next"));
}

TEST_F(Adapters, WhatDoesNotFitIsNamed) {
  const auto args = [&](const std::string& text) {
    return refusal({"adapter=lora", "adapter_args=" + text});
  };
  EXPECT_TRUE(contains(args("target_modules=q_proj,z_proj"), "'z_proj' matches no module"));
  EXPECT_TRUE(contains(args("target_modules=.*(z"), "no regular expression"));
  EXPECT_TRUE(contains(args("target_modules=(([a-z_.0-9])+)+[!?]"), "does not end"));
  EXPECT_TRUE(contains(args("r=0"), "r: expected a whole number"));
  EXPECT_TRUE(contains(args("rank=4"), "rank"));
  EXPECT_TRUE(contains(args("init_lora_weights=olora"), "init_lora_weights"));
  EXPECT_TRUE(contains(args("init_lora_weights=pissa,use_dora=true"), "use_dora"));
  EXPECT_TRUE(contains(args("lora_bias=true"), "lora_bias"));
  EXPECT_TRUE(contains(refusal({"adapter=lorra"}), "expected one of"));
  EXPECT_TRUE(contains(refusal({"lora_rank=4"}), "expected one of"));
}

TEST_F(Adapters, AnotherAdapterIsRefusedByName) {
  const Path folder = some_adapter();
  const std::string path = "adapter_name_or_path=" + folder.string();
  Adapter::Json config = read_adapter_config(folder);
  const auto with = [&](const char* key, const Adapter::Json& value) {
    Adapter::Json changed = config;
    changed[key] = value;
    write_file_atomically(folder / kAdapterConfigName, changed.dump());
    return refusal({path, "adapter_args="});
  };
  EXPECT_TRUE(contains(with("peft_type", "IA3"), "peft_type"));
  EXPECT_TRUE(contains(with("r", 5), "lora_A"));
  EXPECT_TRUE(contains(with("use_dora", true), "lora_magnitude_vector"));
  EXPECT_TRUE(contains(with("layer_replication", Adapter::Json::array({0, 1})), "layer_replication"));
  EXPECT_TRUE(
      contains(with("trainable_token_indices", Adapter::Json::array({1})), "trainable_token_indices"));
  EXPECT_TRUE(contains(with("target_modules", Adapter::Json::array({"q_proj"})), "does not fit"));
  with("r", 3);
  std::filesystem::rename(folder / kAdapterWeightsName, folder / "adapter_model.bin");
  EXPECT_TRUE(contains(refusal({path, "adapter_args="}), "pickle"));
}

TEST_F(Adapters, NamesOfOtherProgramsAreTaken) {
  const Given factory({"finetuning_type=lora", "lora_rank=4", "lora_target=q_proj,v_proj"});
  EXPECT_EQ(factory.options.adapter, "lora");
  EXPECT_EQ(factory.options.adapter_args, R"({"r":"4","lora_alpha":"8","target_modules":"q_proj,v_proj"})");
  const Given axolotl({"adapter=lora", "lora_r=4", "lora_target_linear=true", "peft_use_dora=true"});
  EXPECT_EQ(axolotl.options.adapter, "dora");
  EXPECT_EQ(axolotl.options.adapter_args, R"({"r":"4","target_modules":"all-linear"})");
  EXPECT_EQ(Given({"finetuning_type=full"}).options.adapter, "");
  EXPECT_EQ(Given({"finetuning_type=lora"}).options.adapter_args, R"({"r":"8","lora_alpha":"16"})");
  const Given plus({"adapter=lora", "peft_use_dora=true", "loraplus_lr_ratio=8"});
  EXPECT_EQ(plus.options.adapter, "lora_plus");
  EXPECT_EQ(plus.options.adapter_args, R"({"use_dora":true,"loraplus_lr_ratio":"8"})");
}

}  // namespace
}  // namespace galore
