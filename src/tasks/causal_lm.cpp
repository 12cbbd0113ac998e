// Causal language modelling: every position predicts the next token of its row.
#include <cmath>

#include "core/batch.h"
#include "heads/head.h"
#include "tasks/tasks.h"
#include "tasks/token_losses.h"

namespace galore {
namespace {

const std::vector<MetricKind>& causal_lm_metrics() {
  static const std::vector<MetricKind> kinds{
      // The mean over tokens, with the natural logarithm.
      {.name = "eval_loss", .title = "Evaluation loss"},
      {.name = "perplexity", .digits = 2, .title = "Perplexity"},
      // The evaluator of the GaLore family divides the sum of batch means by one batch too many, because
      // its counter starts at 1.
      {.name = "eval_loss_family",
       .note = "(divided by one batch too many, as the GaLore family's papers do)"}};
  return kinds;
}

class CausalMetrics : public MetricSum {
 public:
  void add(const LossSum& batch, const Batch& /*batch*/, const Predictions& /*predictions*/) override {
    if (batch.num_tokens == 0) return;
    total_ += batch;
    sum_of_means_ += batch.mean();
    ++num_batches_;
  }
  std::vector<Metric> finish() const override {
    const std::vector<MetricKind>& kinds = causal_lm_metrics();
    const double loss = total_.mean();
    return {{kinds[0], loss},
            {kinds[1], std::exp(loss)},
            {kinds[2], sum_of_means_ / static_cast<double>(num_batches_ + 1)}};
  }

 private:
  LossSum total_;
  double sum_of_means_ = 0;
  int64_t num_batches_ = 0;
};

class CausalTask : public Task {
 public:
  std::string name() const override { return "causal_lm"; }
  const std::vector<MetricKind>& metrics() const override { return causal_lm_metrics(); }
  std::unique_ptr<MetricSum> new_metrics() const override { return std::make_unique<CausalMetrics>(); }

  Batch batch_of(const at::Tensor& ids) const override { return next_token_batch(ids, ids); }
  bool fits(const HeadConfig& head) const override { return head.kind == HeadKind::language; }
  HeadConfig new_head(const NewHead& /*wanted*/, const ReadRows& /*read_rows*/) const override { return {}; }
  void write_rows(const Batch& batch, const Predictions& predictions, const HeadConfig& /*head*/,
                  const TakeRow& take) const override {
    write_token_losses(batch, predictions, take);
  }
};

}  // namespace

const Task& causal_lm_task() {
  static const CausalTask task;
  return task;
}

}  // namespace galore
