// A model with losses and gradients that can be changed at chosen micro-batches, for tests.
#pragma once

#include <cmath>
#include <functional>
#include <memory>

#include "models/causal_lm.h"
#include "train/trainer.h"

namespace galore {

struct Script {
  // Called with the number of the micro-batch, from 1, and its true loss after its gradients were reported.
  // Returns the loss that the trainer sees.
  std::function<double(int64_t, double)> train = [](int64_t, double loss) { return loss; };
  // Factor on the gradients of a micro-batch.
  std::function<double(int64_t)> gradient = [](int64_t) { return 1.0; };
  // The mean loss of an evaluation's batch, by its number over the whole run, from 1.
  std::function<double(int64_t, double)> evaluate = [](int64_t, double loss) { return loss; };
};

class ScriptedModel : public CausalLM {
 public:
  ScriptedModel(std::unique_ptr<CausalLM> model, Script script)
      : model_(std::move(model)), script_(std::move(script)) {}

  LossSum train_step(const Batch& batch, double gradient_scale) override {
    ++trained_;
    LossSum loss = model_->train_step(batch, gradient_scale * script_.gradient(trained_));
    loss.loss = script_.train(trained_, loss.mean()) * static_cast<double>(loss.num_tokens);
    return loss;
  }
  void set_dropout(const DropoutPlace& place) override { model_->set_dropout(place); }
  LossSum evaluate(const Batch& batch, Predictions* out) override {
    LossSum loss = model_->evaluate(batch, out);
    loss.loss = script_.evaluate(++evaluated_, loss.mean()) * static_cast<double>(loss.num_tokens);
    return loss;
  }
  const ModelConfig& config() const override { return model_->config(); }
  ParameterList parameters() override { return model_->parameters(); }
  void initialize(uint64_t seed) override { model_->initialize(seed); }
  at::Tensor logits(const at::Tensor& ids) override { return model_->logits(ids); }
  std::unique_ptr<KeyValueCache> new_cache(int64_t length) override { return model_->new_cache(length); }
  at::Tensor next_logits(const at::Tensor& ids, KeyValueCache& cache) override {
    return model_->next_logits(ids, cache);
  }

 private:
  std::unique_ptr<CausalLM> model_;
  Script script_;
  int64_t trained_ = 0, evaluated_ = 0;
};

inline Trainer::MakeModel scripted(const Script& script) {
  return [script](const ModelConfig& config, const ModelOptions& options, Ledger& ledger) {
    return std::make_unique<ScriptedModel>(make_causal_lm(config, options, ledger), script);
  };
}

}  // namespace galore
