#include "train/evaluation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/errors.h"

namespace galore {
namespace {

// Batch i has i + 1 rows; `next` counts its calls.
class Batches : public BatchSource {
 public:
  explicit Batches(int64_t count) : count_(count) {}
  MakeBatch plan() override {
    if (index_ == count_) return nullptr;
    ++index_;
    return [rows = index_] {
      Batch batch;
      batch.ids = at::zeros({rows, 4}, at::kLong);
      return batch;
    };
  }
  double epochs() const override { return 0; }
  DataPosition position() const override { return {0, index_}; }
  void seek(const DataPosition& position) override { index_ = position.index; }
  int64_t rows_per_epoch() const override { return count_; }

 private:
  int64_t count_, index_ = 0;
};

// A batch of r rows has 3r tokens, each with the loss r; that of `bad` rows is NaN.
class Losses : public CausalLM {
 public:
  explicit Losses(int64_t bad = 0) : bad_(bad) {}
  LossSum evaluate(const Batch& batch) override {
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

TEST(Evaluation, WeighsByTokensAndCountsAsTheFamilyDoes) {
  Losses model;
  Batches data(3);
  data.next();  // the evaluation begins at the beginning all the same
  const Evaluation result = evaluate(model, data);
  EXPECT_EQ(result.num_batches, 3);
  EXPECT_EQ(result.num_tokens, 3 + 6 + 9);
  EXPECT_EQ(result.loss, (3.0 * 1 + 3.0 * 4 + 3.0 * 9) / 18);
  EXPECT_EQ(result.perplexity, std::exp(result.loss));
  EXPECT_EQ(result.loss_family, (1.0 + 2.0 + 3.0) / 4);
  EXPECT_FALSE(result.interrupted);
}

TEST(Evaluation, StopsAtTheGivenNumberOfBatches) {
  Losses model;
  Batches data(3);
  const Evaluation result = evaluate(model, data, 2);
  EXPECT_EQ(result.num_batches, 2);
  EXPECT_EQ(result.loss, (3.0 + 12.0) / 9);
  EXPECT_EQ(evaluate(model, data, 5).num_batches, 3);
}

TEST(Evaluation, ANotFiniteLossIsNotHidden) {
  Losses model(2);
  Batches data(3);
  const Evaluation result = evaluate(model, data);
  EXPECT_TRUE(std::isnan(result.loss));
  EXPECT_TRUE(std::isnan(result.perplexity));
  EXPECT_TRUE(std::isnan(result.loss_family));
}

TEST(Evaluation, IsLeftWhenUnwanted) {
  Losses model;
  Batches data(3);
  int asked = 0;
  const Evaluation result = evaluate(model, data, 0, [&] { return ++asked == 3; });
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(data.position().index, 2);
}

}  // namespace
}  // namespace galore
