// A task defines the meaning of a row of data for a model: which positions are predicted, and how the
// predictions are rated. The trainer, the memory plan, the benchmark and the reports know a task only by this
// interface. A task is one file and one row of the table in task.cpp.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/metric.h"
#include "data/batch_builder.h"
#include "heads/head.h"
#include "models/model_config.h"
#include "tasks/task_rows.h"

namespace galore {

class ChatEncoder;
class Tokenizer;

// The wishes of a user for a new head.
struct NewHead {
  int64_t num_labels = 0;  // 0: the task's, or as many as the rows have
  ValueSupport value;
  bool loss_is_given = false;  // whether the user chose value.loss; otherwise the task may choose another
  int64_t num_actions = 0;     // tokens of the vocabulary, for a head that values actions
};
// Gives the training rows in turn, until the function returns false.
using ReadRows = std::function<void(const TakeTaskRow&)>;
using TakeRow = std::function<void(const nlohmann::ordered_json&)>;

struct RowEncoding {
  const ModelConfig& config;             // with the head
  const Tokenizer* tokenizer = nullptr;  // null: only rows with ids are accepted
  int64_t max_length = 256;
  bool bootstraps = false;    // rewards become transitions, for a target network
  bool needs_targets = true;  // false: rows without targets get a place to score, and a target of 0
  bool every_token = false;   // without targets: every token is scored instead of the last one
  bool is_for_training = false;
  double mlm_probability = 0.15;      // share of the tokens that masked_lm predicts
  const ChatEncoder* chat = nullptr;  // of a task that compares with a reference; otherwise null
};

// The place of a batch's first row in its data, which keys random choices.
struct RowDraw {
  uint64_t seed = 0;
  int64_t epoch = 0, first_row = 0;
};

// Sums the metrics over the batches of one evaluation.
class MetricSum {
 public:
  virtual ~MetricSum() = default;
  // `predictions` are those of the head (heads/head.h), and empty if nobody asked for them.
  virtual void add(const LossSum& loss, const Batch& batch, const Predictions& predictions) = 0;
  // Returns the values in the order of Task::metrics(). A value that is not finite stays so.
  virtual std::vector<Metric> finish() const = 0;
};

class Task {
 public:
  virtual ~Task() = default;
  virtual std::string name() const = 0;               // the value of the option `task`
  virtual std::string variant() const { return ""; }  // the value of the option `task_name`
  // Returns the metrics. The first one chooses the best checkpoint unless metric_for_best_model names
  // another.
  virtual const std::vector<MetricKind>& metrics() const = 0;
  virtual std::unique_ptr<MetricSum> new_metrics() const = 0;
  // Returns a batch of these token ids (B x T) with every target that such rows can have. The memory plan
  // calls it on the meta device, and the benchmark with random ids.
  virtual Batch batch_of(const at::Tensor& ids) const = 0;

  // Returns the function that makes the targets of a batch: score_targets() for rows of the task's own. None:
  // each token's target is the next token of its row.
  virtual MakeTargets make_targets(const BackupRule& backup) const;
  // Returns true if draw() makes the targets of every batch at random. The choices depend on the place in the
  // data alone, so that a resumed run repeats them. Several threads may call draw().
  virtual bool draws() const { return false; }
  virtual void draw(Batch& /*batch*/, const RowEncoding& /*encoding*/, const RowDraw& /*draw*/) const {}

  // Returns true if the task reads rows of its own (task_rows.h), which stay in memory. Otherwise its rows
  // are tokens, which the data folder reads and caches.
  virtual bool reads_rows() const { return false; }
  // Returns true if the head predicts the targets of this task.
  virtual bool fits(const HeadConfig& head) const = 0;
  // Returns the head that a model without a fitting one gets. `read_rows` reads the training rows.
  virtual HeadConfig new_head(const NewHead& wanted, const ReadRows& read_rows) const = 0;
  // Returns true if the head scores chosen places of its own rows, so that the examples of a training batch
  // may stand in any order and share rows.
  bool scores_places() const { return reads_rows() && !needs_reference(); }
  // Returns true if the loss compares the model with a reference. Rows are then conversations, and the
  // numbers of each example are those that the reference gives it (train/reference_scores.h).
  virtual bool needs_reference() const { return false; }
  virtual TableLayout layout() const { return {}; }
  // Makes the example of a row. A row without input or target, or with a wrong one, is an Error with its
  // place.
  virtual ExampleRow encode(const TaskRow& row, const RowEncoding& encoding) const;
  // Calls `take` with the prediction of each row of a batch, in order.
  virtual void write_rows(const Batch& batch, const Predictions& predictions, const HeadConfig& head,
                          const TakeRow& take) const = 0;
};

std::vector<std::string> task_names();
// Returns all values of task_name, each once.
std::vector<std::string> task_variants();
// Throws a UsageError with the nearest known name if a name is unknown.
const Task& find_task(const std::string& name, const std::string& variant = "");
// Returns the name of the task that a model with this head was made for.
std::string task_of(const HeadConfig& head);
// Refuses a model whose head was made for another task.
void require_head_for(const Task& task, const HeadConfig& head);

// Returns the metrics of all tasks, each name once, because a report may hold runs of several tasks.
std::vector<MetricKind> all_metrics();
// Returns the metric that a user names with or without the prefix "eval_", or null if the task has no such
// metric that can choose the best checkpoint.
const MetricKind* find_metric(const Task& task, const std::string& name);
// Returns all names that find_metric() accepts for some task.
std::vector<std::string> metric_choices();

}  // namespace galore
