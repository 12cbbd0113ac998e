// Preferences: of two answers to a prompt, the preferred one becomes more probable and the other one less,
// compared with a reference model (DPO, arXiv 2305.18290; IPO, arXiv 2310.12036).
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "chat/chat_encoder.h"
#include "core/errors.h"
#include "core/labels.h"
#include "data/token_check.h"
#include "tasks/tasks.h"

namespace galore {
namespace {

const std::vector<MetricKind>& preference_metrics() {
  static const std::vector<MetricKind> kinds{
      {.name = "eval_loss", .title = "Evaluation loss"},
      {.name = "eval_pair_accuracy", .larger_is_better = true, .title = "Accuracy of pairs"}};
  return kinds;
}

// Returns the messages that both answers begin with. Each answer keeps at least its last message.
ChatJson common_prompt(const ChatJson& chosen, const ChatJson& rejected) {
  ChatJson prompt = ChatJson::array();
  for (size_t i = 0; i + 1 < std::min(chosen.size(), rejected.size()) && chosen[i] == rejected[i]; ++i)
    prompt.push_back(chosen[i]);
  return prompt;
}

ChatJson messages_after(const ChatJson& messages, size_t count) {
  ChatJson rest = ChatJson::array();
  for (size_t i = count; i < messages.size(); ++i) rest.push_back(messages[i]);
  return rest;
}

// Returns a row of prompt and completion for one of the two answers.
ChatJson answer_of(const ChatJson& row, const char* side, const std::string& where) {
  for (const char* key : {"chosen", "rejected"})
    if (!row.contains(key)) fail(where, "expected the keys 'prompt', 'chosen' and 'rejected'");
  ChatJson out = row;
  if (row.contains("prompt")) {
    out["completion"] = row[side];
    return out;
  }
  if (!row["chosen"].is_array() || !row["rejected"].is_array())
    fail(where, "expected the key 'prompt', or lists of messages that begin alike");
  out["prompt"] = common_prompt(row["chosen"], row["rejected"]);
  if (out["prompt"].empty()) fail(where, "expected lists of messages that begin alike");
  out["completion"] = messages_after(row[side], out["prompt"].size());
  return out;
}

void append_answer(ExampleRow& out, const EncodedChat& chat, const RowEncoding& encoding,
                   const std::string& where, const char* side) {
  const size_t count = std::min(chat.ids.size(), static_cast<size_t>(encoding.max_length));
  for (size_t i = 0; i < count; ++i) {
    if (!is_id(chat.ids[i], encoding.config.vocab_size))
      fail(where, "{}", id_fault(chat.ids[i], encoding.config.vocab_size));
    out.ids.push_back(chat.ids[i]);
    out.labels.push_back(chat.labels[i]);
  }
  if (count_labels(chat.labels, encoding.max_length) == 0)
    fail(where, "{}: expected a token of the answer within max_length, given none", side);
  out.ends.push_back(static_cast<int64_t>(out.ids.size()));
}

Targets preference_targets(const ExampleRows& rows) {
  Targets targets = next_token_targets(rows);
  const int64_t length = rows.ids.size(1), count = rows.ids.size(0);
  std::vector<int64_t> places;
  std::vector<double> scores;
  for (int64_t i = 0; i < count; ++i) {
    const auto row = static_cast<size_t>(i);
    for (const int64_t place : {int64_t{0}, rows.ends[row][0], rows.ends[row][1]})
      places.push_back(i * length + place);
    for (size_t side = 0; side < 2; ++side)
      scores.push_back(side < rows.values[row].size() ? rows.values[row][side] : 0);
  }
  targets.pairs = true;
  targets.count = count;
  targets.places = at::tensor(places, at::kLong);
  targets.values = at::tensor(scores, at::kDouble).view({count, 2});
  return targets;
}

class PreferenceMetrics : public MetricSum {
 public:
  void add(const LossSum& loss, const Batch& batch, const Predictions& predictions) override {
    loss_ += loss;
    if (!predictions.readouts.defined()) return;
    const at::Tensor gain = predictions.readouts - batch.targets.values;
    right_ += gain.select(1, 0).gt(gain.select(1, 1)).sum().item<int64_t>();
    pairs_ += gain.size(0);
  }
  std::vector<Metric> finish() const override {
    const auto& kinds = preference_metrics();
    return {{kinds[0], loss_.mean()}, {kinds[1], static_cast<double>(right_) / static_cast<double>(pairs_)}};
  }

 private:
  LossSum loss_;
  int64_t right_ = 0, pairs_ = 0;
};

class DpoTask : public Task {
 public:
  std::string name() const override { return "dpo"; }
  const std::vector<MetricKind>& metrics() const override { return preference_metrics(); }
  std::unique_ptr<MetricSum> new_metrics() const override { return std::make_unique<PreferenceMetrics>(); }
  bool reads_rows() const override { return true; }
  bool needs_reference() const override { return true; }
  bool fits(const HeadConfig& head) const override { return head.kind == HeadKind::language; }
  HeadConfig new_head(const NewHead& /*wanted*/, const ReadRows& /*read_rows*/) const override { return {}; }
  MakeTargets make_targets(const BackupRule& /*backup*/) const override { return preference_targets; }

  // A row holds two answers of the given length.
  Batch batch_of(const at::Tensor& ids) const override {
    const at::Tensor both = at::cat({ids, ids}, 1);
    Batch batch = next_token_batch(both, both);
    const int64_t rows = ids.size(0), length = ids.size(1);
    std::vector<int64_t> places;
    for (int64_t i = 0; i < rows; ++i)
      for (const int64_t place : {int64_t{0}, length, 2 * length}) places.push_back(2 * i * length + place);
    batch.positions = at::arange(length, ids.options()).repeat({rows, 2});
    batch.targets.pairs = true;
    batch.targets.count = rows;
    batch.targets.places = at::tensor(places, at::kLong);
    batch.targets.values = at::zeros({rows, 2}, at::kDouble);
    return batch;
  }

  ExampleRow encode(const TaskRow& row, const RowEncoding& encoding) const override {
    GALORE_ASSERT(encoding.chat);
    ExampleRow out;
    const ChatJson json = ChatJson::parse(row.text.empty() ? row.values.dump() : row.text);
    for (const char* side : {"chosen", "rejected"})
      append_answer(out, encoding.chat->encode(answer_of(json, side, row.where), row.where), encoding,
                    row.where, side);
    return out;
  }

  void write_rows(const Batch& batch, const Predictions& predictions, const HeadConfig& /*head*/,
                  const TakeRow& take) const override {
    const double* score = predictions.readouts.const_data_ptr<double>();
    const double* reference = batch.targets.values.const_data_ptr<double>();
    const double* loss = predictions.losses.const_data_ptr<double>();
    for (int64_t i = 0; i < batch.rows(); ++i, score += 2, reference += 2)
      take({{"loss", loss[i]},
            {"chosen_logps", score[0]},
            {"rejected_logps", score[1]},
            {"ref_chosen_logps", reference[0]},
            {"ref_rejected_logps", reference[1]}});
  }
};

}  // namespace

const Task& dpo_task() {
  static const DpoTask task;
  return task;
}

}  // namespace galore
