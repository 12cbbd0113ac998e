// Adapters whose first values come from a decomposition: of the weight, of the inputs or of the first
// gradient.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "checkpoint/peft_directory.h"
#include "checkpoint/safetensors.h"
#include "models/causal_lm.h"
#include "models/gradient_collector.h"
#include "train/test_run.h"

namespace galore {
namespace {

using StartSettings = std::vector<std::string>;

class AdapterStarts : public TestRun {};

at::Tensor some_ids() { return at::arange(64, at::kLong).mul(7).remainder(64).view({4, 16}); }

const std::vector<std::string> kStarts{"pissa", "pissa_niter_8", "eva", "lora_one"};

StartSettings starting(const std::string& start) {
  return {"adapter=lora", "adapter_args=r=3,lora_alpha=6,init_lora_weights=" + start, "optim=adamw_torch",
          "optim_args="};
}

// PiSSA's factors are the best approximation of the weight, and what is added to the layer is their change.
TEST_F(AdapterStarts, PissaStartsFromTheWeight) {
  const RunObjects run = build(starting("pissa")), plain = build({});
  EXPECT_TRUE(as_causal_lm(*run.model, "test")
                  .logits(some_ids())
                  .allclose(as_causal_lm(*plain.model, "test").logits(some_ids()), 1e-5, 1e-5));
  std::map<std::string, at::Tensor> values;
  for (const Parameter* parameter : run.model->parameters()) values[parameter->name] = parameter->value;
  const std::string place = "model.layers.1.mlp.up_proj.";
  const at::Tensor product =
      at::mm(values.at(place + "lora_B.weight"), values.at(place + "lora_A.weight")) * 2;
  const at::Tensor w = values.at(place + "weight"), sizes = std::get<1>(at::linalg_svd(w));
  EXPECT_NEAR((w - product).norm().item<double>(),
              sizes.narrow(0, 3, sizes.numel() - 3).norm().item<double>(), 1e-5);
}

TEST_F(AdapterStarts, PissaIsSavedAsPlainFactorsOfTwiceTheRank) {
  for (const auto& [kind, alpha] : {std::pair{"lora", 12.0}, {"rslora", 6 * std::sqrt(2.0)}}) {
    Settings settings = starting("pissa");
    settings.insert(settings.end(), {std::string("adapter=") + kind, output("pissa"), "max_steps=3",
                                     eval_file(), "overwrite_output_dir=true"});
    const double loss = train(settings).evaluation->value("eval_loss");
    const Adapter::Json config = read_adapter_config(folder_ / "pissa");
    EXPECT_EQ(config["r"], 6);
    EXPECT_NEAR(config["lora_alpha"].get<double>(), alpha, 1e-12);
    EXPECT_EQ(config["init_lora_weights"], true);
    const TrainResult read =
        train({"adapter_name_or_path=" + (folder_ / "pissa").string(), "optim=adamw_torch",
               "optim_args=", "learning_rate=0", "max_steps=1", eval_file(), output("read")});
    EXPECT_NEAR(read.evaluation->value("eval_loss") / loss, 1, 1e-5) << kind;
  }
}

TEST_F(AdapterStarts, EveryStartResumesToTheBit) {
  for (const std::string& start : kStarts) {
    Settings settings = starting(start);
    settings.insert(settings.end(), {"save_steps=2", "max_steps=4", "overwrite_output_dir=true"});
    train_and_resume(settings, 2);
    expect_resumed(kAdapterWeightsName, start);
  }
}

// The factors of a layer, as the first batch sets them; the learning rate is 0.
struct StartedFactors {
  at::Tensor a, b;
};
StartedFactors factors_in(const Path& folder) {
  const SafetensorsReader file(folder / kAdapterWeightsName);
  const std::string place = "base_model.model.model.layers.1.mlp.down_proj.lora_";
  return {file.read(place + "A.weight"), file.read(place + "B.weight")};
}

TEST_F(AdapterStarts, StartsFromDataTakeTheLeadingDirections) {
  // Four rows are one batch, in whatever order.
  const Settings same{"max_steps=1", "learning_rate=0", "overwrite_output_dir=true", "max_samples=4"};
  const auto started = [&](const std::string& start) {
    Settings settings = starting(start);
    settings.insert(settings.end(), same.begin(), same.end());
    settings.push_back(output("started"));
    train(settings);
    return factors_in(folder_ / "started");
  };
  const RunObjects plain = build({});
  CausalLM& model = as_causal_lm(*plain.model, "test");
  GradientCollector gradients(model.parameters(), *plain.ledger, at::kFloat);
  const std::vector<int> tokens = tiny_tokens(1200, 1);
  const at::Tensor rows = at::tensor(std::vector<int64_t>(tokens.begin(), tokens.begin() + 64)).view({4, 16});
  model.train_step(rows, rows, 1.0 / 60);
  const auto [u, s, vh] = at::linalg_svd(gradients["model.layers.1.mlp.down_proj.weight"].gradient(), false);

  const StartedFactors one = started("lora_one");
  const at::Tensor best = -at::mm(u.narrow(1, 0, 3) * s.narrow(0, 0, 3), vh.narrow(0, 0, 3)) / (s[0] * 64);
  EXPECT_LT(((at::mm(one.b, one.a) - best).norm() / best.norm()).item<double>(), 1e-3);

  const StartedFactors eva = started("eva");
  EXPECT_TRUE(at::mm(eva.a, eva.a.t()).allclose(at::eye(3), 1e-4, 1e-5)) << "orthonormal directions";
  EXPECT_EQ(eva.b.abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace galore
