#include "train/evaluation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/errors.h"
#include "core/test_message.h"
#include "data/batch_source.h"
#include "models/causal_lm.h"
#include "tasks/task.h"

namespace galore {
namespace {

// Batch i has i + 1 rows. `next` counts the calls of next().
class Batches : public BatchSource {
 public:
  explicit Batches(int64_t count) : count_(count) {}
  MakeBatch plan() override {
    if (index_ == count_) return nullptr;
    ++index_;
    return [rows = index_] {
      const at::Tensor ids = at::zeros({rows, 4}, at::kLong);
      return next_token_batch(ids, ids);
    };
  }
  double epochs() const override { return 0; }
  DataPosition position() const override { return {0, index_}; }
  void seek(const DataPosition& position) override { index_ = position.index; }
  int64_t rows_per_epoch() const override { return count_; }
  void end_after(int64_t) override {}
  DataPosition start_of(int64_t epoch) const override { return {epoch, 0}; }
  DataFingerprint fingerprint() const override { return {}; }

 private:
  int64_t count_, index_ = 0;
};

// A batch of r rows has 3r tokens, each with the loss r. A batch of `bad` rows has the loss NaN.
class Losses : public CausalLM {
 public:
  explicit Losses(int64_t bad = 0) : bad_(bad) {}
  LossSum evaluate(const Batch& batch, Predictions*) override {
    const int64_t rows = batch.rows();
    const auto loss = static_cast<double>(3 * rows * rows);
    return {rows == bad_ ? std::nan("") : loss, 3 * rows};
  }
  const ModelConfig& config() const override { return config_; }
  ParameterList parameters() override { return {}; }
  void initialize(uint64_t) override {}
  LossSum train_step(const Batch&, double) override { return {}; }
  at::Tensor logits(const at::Tensor&) override { return {}; }
  std::unique_ptr<KeyValueCache> new_cache(int64_t) override { return nullptr; }
  at::Tensor next_logits(const at::Tensor&, KeyValueCache&) override { return {}; }

 private:
  ModelConfig config_;
  int64_t bad_;
};

const Task& kTask = find_task("causal_lm");

TEST(Evaluation, GoesOnceThroughTheDataFromTheirBeginning) {
  Losses model;
  Batches data(3);
  data.next();  // evaluate() must start at the beginning all the same
  const Evaluation result = evaluate(model, kTask, data);
  EXPECT_EQ(result.num_batches, 3);
  EXPECT_EQ(result.num_tokens, 3 + 6 + 9);
  EXPECT_EQ(result.value("eval_loss"), (3.0 * 1 + 3.0 * 4 + 3.0 * 9) / 18);
  EXPECT_EQ(result.metrics.size(), kTask.metrics().size());
  EXPECT_EQ(message_of([&] { result.value("accuracy"); }),
            "[evaluation] expected a metric of the task, given 'accuracy'");
  EXPECT_FALSE(result.interrupted);
}

TEST(Evaluation, StopsAtTheGivenNumberOfBatches) {
  Losses model;
  Batches data(3);
  const Evaluation result = evaluate(model, kTask, data, 2);
  EXPECT_EQ(result.num_batches, 2);
  EXPECT_EQ(result.value("eval_loss"), (3.0 + 12.0) / 9);
  EXPECT_EQ(evaluate(model, kTask, data, 5).num_batches, 3);
}

TEST(Evaluation, ANotFiniteLossIsNotHidden) {
  Losses model(2);
  Batches data(3);
  const Evaluation result = evaluate(model, kTask, data);
  for (const Metric& metric : result.metrics) EXPECT_TRUE(std::isnan(metric.value)) << metric.name;
}

TEST(Evaluation, IsLeftWhenUnwanted) {
  Losses model;
  Batches data(3);
  int asked = 0;
  const Evaluation result = evaluate(model, kTask, data, 0, [&] { return ++asked == 3; });
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(data.position().index, 2);
}

}  // namespace
}  // namespace galore
