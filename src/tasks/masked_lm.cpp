// Masked language modelling (Devlin et al., 2018), as run_mlm.py does it: some of the tokens are chosen anew
// in each epoch and predicted from the others. 80 % of them are replaced by the mask token, 10 % by a random
// token, and 10 % stay as they are.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/errors.h"
#include "core/labels.h"
#include "core/random.h"
#include "tasks/tasks.h"
#include "tasks/token_losses.h"
#include "tokenizer/tokenizer.h"

namespace galore {
namespace {

constexpr double kReplacedByMask = 0.8, kReplacedAtRandom = 0.1;

const std::vector<MetricKind>& masked_lm_metrics() {
  static const std::vector<MetricKind> kinds{{.name = "eval_loss", .title = "Evaluation loss"},
                                             {.name = "perplexity", .digits = 2, .title = "Perplexity"}};
  return kinds;
}

class MaskedMetrics : public MetricSum {
 public:
  void add(const LossSum& batch, const Batch& /*batch*/, const Predictions& /*predictions*/) override {
    total_ += batch;
  }
  std::vector<Metric> finish() const override {
    const auto& kinds = masked_lm_metrics();
    return {{kinds[0], total_.mean()}, {kinds[1], std::exp(total_.mean())}};
  }

 private:
  LossSum total_;
};

// Each token of a data file is its own target.
Targets own_tokens(const at::Tensor& labels) {
  Targets targets{labels};
  if (!labels.is_meta()) targets.count = labels.ne(kIgnoredLabel).sum().item<int64_t>();
  return targets;
}

class Masking {
 public:
  Masking(const RowEncoding& encoding, const RowDraw& draw)
      : probability_(encoding.mlm_probability), vocabulary_(encoding.config.vocab_size), draw_(draw) {
    const Tokenizer* tokenizer = encoding.tokenizer;
    const auto mask = tokenizer ? tokenizer->mask_id() : std::nullopt;
    if (!mask)
      fail("masked_lm", "expected a tokenizer with a mask token (tokenizer_name), given {}",
           tokenizer ? "one without" : "none");
    mask_ = *mask;
    special_ = tokenizer->special_ids();
  }

  // A row has a random stream of its own, from which every token takes as many numbers. So its masks depend
  // neither on the other rows of the batch nor on the padding.
  void apply(int64_t row, int64_t* ids, int64_t* labels, int64_t length) const {
    RandomStream random(draw_.seed, "masked tokens", fmt::format("epoch {}", draw_.epoch),
                        static_cast<uint64_t>(draw_.first_row + row));
    for (int64_t t = 0; t < length; ++t) {
      const double chosen = random.uniform(), kind = random.uniform();
      const auto other = static_cast<int64_t>(random.below(static_cast<uint64_t>(vocabulary_)));
      const bool is_special = std::binary_search(special_.begin(), special_.end(), ids[t]);
      if (is_special || chosen >= probability_) {
        labels[t] = kIgnoredLabel;
      } else if (labels[t] != kIgnoredLabel) {
        if (kind < kReplacedByMask)
          ids[t] = mask_;
        else if (kind < kReplacedByMask + kReplacedAtRandom)
          ids[t] = other;
      }
    }
  }

 private:
  double probability_;
  int64_t vocabulary_, mask_ = 0;
  std::vector<int64_t> special_;
  RowDraw draw_;
};

class MaskedTask : public Task {
 public:
  std::string name() const override { return "masked_lm"; }
  const std::vector<MetricKind>& metrics() const override { return masked_lm_metrics(); }
  std::unique_ptr<MetricSum> new_metrics() const override { return std::make_unique<MaskedMetrics>(); }
  Batch batch_of(const at::Tensor& ids) const override {
    Batch batch;
    batch.ids = ids;
    batch.targets = own_tokens(ids);
    return batch;
  }
  bool fits(const HeadConfig& head) const override { return head.kind == HeadKind::masked; }
  HeadConfig new_head(const NewHead&, const ReadRows&) const override {
    HeadConfig head;
    head.kind = HeadKind::masked;
    return head;
  }
  MakeTargets make_targets(const BackupRule& /*backup*/) const override {
    return [](const ExampleRows& rows) { return own_tokens(rows.labels); };
  }
  bool draws() const override { return true; }
  void draw(Batch& batch, const RowEncoding& encoding, const RowDraw& draw) const override {
    const Masking masking(encoding, draw);
    const int64_t length = batch.length();
    for (int64_t row = 0; row < batch.rows(); ++row)
      masking.apply(row, batch.ids.mutable_data_ptr<int64_t>() + row * length,
                    batch.targets.labels.mutable_data_ptr<int64_t>() + row * length, length);
    batch.targets = own_tokens(batch.targets.labels);
  }
  void write_rows(const Batch& batch, const Predictions& predictions, const HeadConfig& /*head*/,
                  const TakeRow& take) const override {
    write_token_losses(batch, predictions, take);
  }
};

}  // namespace

const Task& masked_lm_task() {
  static const MaskedTask task;
  return task;
}

}  // namespace galore
