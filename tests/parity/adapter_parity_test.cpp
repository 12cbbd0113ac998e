// Compares adapters with peft 0.21: logits, every gradient and five AdamW updates from the directories that
// make_adapter_vectors.py froze.
#include <gtest/gtest.h>

#include "adapters/adapter_kind.h"
#include "checkpoint/hugging_face.h"
#include "checkpoint/peft_directory.h"
#include "checkpoint/safetensors.h"
#include "core/test_folder.h"
#include "models/causal_lm.h"
#include "models/gradient_collector.h"
#include "optim/optimizer.h"
#include "optim/settings.h"

namespace galore {
namespace {

double relative_difference(const at::Tensor& given, const at::Tensor& expected) {
  const at::Tensor a = given.to(at::kDouble), b = expected.to(at::kDouble);
  return ((a - b).norm() / b.norm()).item<double>();
}

ParameterList without_factors(ParameterList parameters) {
  std::erase_if(parameters, [](const Parameter* parameter) { return parameter->role == Role::adapter; });
  return parameters;
}

class AdapterParity : public testing::TestWithParam<std::string> {
 protected:
  AdapterParity()
      : folder_(Path(GALORE_PARITY_DATA) / ".." / "adapters" / GetParam()),
        expected_(folder_ / "expected.safetensors"),
        ledger_(at::kCPU) {
    const Adapter::Json config = read_adapter_config(folder_);
    base_ = Path(GALORE_PARITY_DATA) / config.at("base_model_name_or_path").get<std::string>();
    ModelOptions options;
    options.adapter = adapter_kind("lora").read(config, folder_.string(), Adapter::Json::object());
    model_ = make_causal_lm(read_model_config(base_), options, ledger_);
    load_weights(base_, without_factors(model_->parameters()));
    load_adapter(folder_, *model_);
  }

  // Returns the trained parameters by their names in peft's files.
  std::map<std::string, Parameter*> trained() {
    std::map<std::string, Parameter*> named;
    for (Parameter* parameter : model_->parameters())
      if (parameter->trainable)
        named[model_->adapted()->adapter().peft_name(*parameter, model_->adapted()->places())] = parameter;
    return named;
  }
  at::Tensor ids() { return expected_.read("ids"); }
  LossSum step() {
    const at::Tensor labels = expected_.read("labels");
    const auto count = labels.narrow(1, 1, labels.size(1) - 1).ne(-100).sum().item<int64_t>();
    return model_->train_step(ids(), labels, 1.0 / static_cast<double>(count));
  }

  Path folder_, base_;
  SafetensorsReader expected_;
  Ledger ledger_;
  std::unique_ptr<CausalLM> model_;
};

// Both sides round each of some thousand fp32 operations once, in a different order, so they differ by about
// 1e-6.
TEST_P(AdapterParity, Logits) {
  EXPECT_LT(relative_difference(model_->logits(ids()), expected_.read("logits")), 1e-5);
}

TEST_P(AdapterParity, Gradients) {
  GradientCollector gradients(model_->parameters(), ledger_, at::kFloat);
  step();
  for (const auto& [name, parameter] : trained())
    EXPECT_LT(relative_difference(gradients[parameter->name].gradient(), expected_.read("gradient/" + name)),
              1e-5)
        << name;
}

TEST_P(AdapterParity, FiveUpdates) {
  OptimizerOptions options;
  options.settings = resolve_optimizer("adamw_torch", "", {{"adam_epsilon", "1e-4"}});
  options.weight_decay = 0.1;
  Workspace workspace(ledger_);
  Optimizer optimizer(model_->parameters(), options, workspace);
  for (int update = 0; update < 5; ++update) {
    optimizer.begin_update(0.01, 1);
    step();
    optimizer.finish_update();
  }
  for (const auto& [name, parameter] : trained())
    EXPECT_LT(relative_difference(parameter->value, expected_.read("after/" + name)), 1e-5) << name;
}

TEST_P(AdapterParity, ASavedAdapterHasTheTensorsAndKeysThatWereRead) {
  const TestFolder out;
  save_adapter(out.path(), *model_, "elsewhere");
  EXPECT_EQ(read_adapter_config(out.path()), read_adapter_config(folder_));
  const SafetensorsReader saved(out / kAdapterWeightsName), read(folder_ / kAdapterWeightsName);
  // PEFT leaves out the adapted tables of GPT-2, which it does not know as embeddings.
  for (const TensorInfo& info : saved.tensors())
    EXPECT_TRUE(read.find(info.name) || info.name.ends_with("e.base_layer.weight")) << info.name;
  // With bias=all PEFT writes the biases of saved modules again under these names.
  const auto is_again = [](const std::string& name) {
    return name.find(".modules_to_save.") != std::string::npos ||
           name.find(".original_module.") != std::string::npos;
  };
  for (const TensorInfo& info : read.tensors())
    EXPECT_TRUE(is_again(info.name) || saved.read(info.name).equal(read.read(info.name))) << info.name;
}

// Merging rounds W + s B A to fp32, which changes logits by about 1e-6.
TEST_P(AdapterParity, AMergedModelComputesTheSame) {
  const TestFolder out;
  merge_adapter(base_, out / "merged", *model_);
  const auto merged = make_causal_lm(read_model_config(out / "merged"), {}, ledger_);
  load_weights(out / "merged", merged->parameters());
  EXPECT_LT(relative_difference(merged->logits(ids()), expected_.read("logits")), 1e-5);
  const SafetensorsReader before(base_ / "model.safetensors"), after(out / "merged" / "model.safetensors");
  // The head of a tied model gets a matrix of its own where the embedding is adapted.
  const bool unties = GetParam() == "embedding_lora_gpt2" || GetParam() == "embedding_dora_gpt2";
  EXPECT_EQ(before.tensors().size() + unties, after.tensors().size());
  EXPECT_EQ(read_model_config(out / "merged").tie_word_embeddings,
            read_model_config(base_).tie_word_embeddings && !unties);
}

INSTANTIATE_TEST_SUITE_P(Cases, AdapterParity,
                         testing::Values("lora_llama", "rslora_qwen2", "dora_llama", "dora_qwen2",
                                         "lora_gpt2", "dora_gpt2", "embedding_lora_qwen2",
                                         "embedding_dora_llama", "embedding_lora_gpt2", "embedding_dora_gpt2",
                                         "saved_biases_gpt2"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace galore
