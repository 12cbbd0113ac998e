// Documents that share a row and see only themselves give the results of one document per row.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "core/errors.h"
#include "core/labels.h"
#include "kernels/test_tensors.h"
#include "models/architecture.h"
#include "models/test_trial.h"

namespace galore {
namespace {
using namespace testing_models;
using testing_tensors::relative_difference;

at::Tensor document(int64_t length, int64_t seed) {
  return at::arange(length, at::kLong).mul(37).add(11 * seed).remainder(101);
}

Batch one_a_row(const at::Tensor& ids) {
  const at::Tensor row = ids.unsqueeze(0);
  return next_token_batch(row, row);
}

// Packs the documents into one row of `length` positions. The rest is padding that sees nothing.
Batch packed(const std::vector<at::Tensor>& documents, int64_t length) {
  Batch batch;
  batch.ids = at::zeros({1, length}, at::kLong);
  batch.positions = at::zeros({1, length}, at::kLong);
  batch.first_key = at::zeros({1, length}, at::kInt);
  batch.end_key = at::zeros({1, length}, at::kInt);
  at::Tensor labels = at::full({1, length}, kIgnoredLabel, at::kLong);
  int64_t begin = 0;
  for (const at::Tensor& ids : documents) {
    const int64_t count = ids.numel();
    const at::Tensor order = at::arange(count, at::kLong);
    const auto part = [&](const at::Tensor& all) { return all[0].narrow(0, begin, count); };
    part(batch.ids).copy_(ids);
    part(batch.positions).copy_(order);
    part(batch.first_key).fill_(begin);
    part(batch.end_key).copy_(order + begin + 1);
    part(labels).narrow(0, 1, count - 1).copy_(ids.narrow(0, 1, count - 1));
    begin += count;
  }
  batch.targets = next_token_targets(labels);
  return batch;
}

using Gradients = std::vector<at::Tensor>;

Gradients gradients_of(Trial& trial) {
  Gradients all;
  for (const Parameter* parameter : trial.model->parameters())
    all.push_back((*trial.collector)[parameter->name].gradient().clone());
  return all;
}

class KeyRanges : public testing::TestWithParam<std::string> {
 protected:
  ModelConfig config() const { return small_config(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(All, KeyRanges, testing::ValuesIn(decoder_names()),
                         [](const auto& info) { return info.param; });

TEST_P(KeyRanges, PackedDocumentsGiveTheNumbersOfOneDocumentARow) {
  const std::vector<at::Tensor> documents{document(5, 1), document(40, 2), document(70, 3), document(9, 4)};
  for (const bool checkpointing : {false, true}) {
    const ModelOptions options{at::kFloat, at::kFloat, checkpointing};
    Trial apart(options, at::kCPU, config()), together(options, at::kCPU, config());
    LossSum sum;
    double evaluated = 0;
    for (const at::Tensor& ids : documents) {
      const LossSum loss = apart.model->train_step(one_a_row(ids), 0.01);
      sum += loss;
      evaluated += apart.model->evaluate(one_a_row(ids)).loss;
    }
    const Batch batch = packed(documents, 130);
    const LossSum loss = together.model->train_step(batch, 0.01);
    EXPECT_EQ(loss.num_tokens, sum.num_tokens);
    EXPECT_EQ(batch.targets.count, sum.num_tokens);
    // The fp32 sums run in another order, because documents start elsewhere in the blocks of keys.
    EXPECT_NEAR(loss.loss / sum.loss, 1, 1e-6);
    EXPECT_NEAR(together.model->evaluate(batch).loss / evaluated, 1, 1e-6);
    const Gradients expected = gradients_of(apart), given = gradients_of(together);
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_LT(relative_difference(given[i], expected[i]), 1e-5) << together.model->parameters()[i]->name;
  }
}

TEST_P(KeyRanges, CausalRangesAreTheDefaultToTheBit) {
  Trial stated({}, at::kCPU, config()), left_out({}, at::kCPU, config());
  const at::Tensor ids = document(70, 5);
  const Batch batch = packed({ids}, 70);
  EXPECT_EQ(stated.model->train_step(batch, 0.01).loss,
            left_out.model->train_step(one_a_row(ids), 0.01).loss);
  const Gradients a = gradients_of(stated), b = gradients_of(left_out);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i], b[i]));
}

TEST_P(KeyRanges, DocumentsDoNotSeeEachOther) {
  Trial trial({}, at::kCPU, config());
  const at::Tensor second = document(20, 2);
  const auto loss_after = [&](int64_t seed) {
    Batch batch = packed({document(30, seed), second}, 50);
    batch.targets.labels[0].narrow(0, 0, 30).fill_(kIgnoredLabel);
    return trial.model->evaluate(batch).loss;
  };
  const double loss = loss_after(3);
  // Experts multiply the tokens that chose them together, so another document changes the shapes of their
  // products, and with the shapes the order of the sums.
  EXPECT_NEAR(loss_after(4), loss, config().num_experts > 0 ? 1e-6 * loss : 0);
}

TEST_P(KeyRanges, RefusesRangesOutsideTheRow) {
  Trial trial({}, at::kCPU, config());
  Batch batch = packed({document(8, 1)}, 8);
  batch.end_key[0][3] = 9;
  EXPECT_THROW(trial.model->evaluate(batch), Error);
  batch = packed({document(8, 1)}, 8);
  batch.first_key[0][3] = -1;
  EXPECT_THROW(trial.model->evaluate(batch), Error);
  batch = packed({document(8, 1)}, 8);
  batch.positions[0][3] = -1;
  EXPECT_THROW(trial.model->evaluate(batch), Error);
}

}  // namespace
}  // namespace galore
