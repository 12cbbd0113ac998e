// Classes or numbers of whole rows: transformers' ...ForSequenceClassification. With task_name it is one of
// GLUE's tasks, with its columns, its class names and its metrics.
#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "core/errors.h"
#include "tasks/glue.h"
#include "tasks/score_rows.h"
#include "tasks/statistics.h"
#include "tasks/tasks.h"

namespace galore {
namespace {

using Json = nlohmann::json;

MetricKind kind_of(const std::string& name) {
  static const std::vector<MetricKind> kinds{
      {.name = "eval_accuracy", .larger_is_better = true, .title = "Accuracy"},
      {.name = "eval_f1", .larger_is_better = true, .title = "F1"},
      {.name = "eval_matthews_correlation", .larger_is_better = true, .title = "Matthews correlation"},
      {.name = "eval_pearson", .larger_is_better = true, .title = "Pearson correlation"},
      {.name = "eval_spearmanr", .larger_is_better = true, .title = "Spearman correlation"},
      {.name = "eval_combined_score", .larger_is_better = true, .title = "Combined score"}};
  for (const MetricKind& kind : kinds)
    if (kind.name == "eval_" + name) return kind;
  GALORE_ASSERT(false && "a metric that has a row");
}

// Returns the number that a value of any JSON type stands for, or nothing.
std::optional<double> number_of(const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? 1.0 : 0.0;
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

const Json& label_of(const TaskRow& row) {
  const auto found = row.values.find("label");
  if (found == row.values.end() || found->is_null()) fail(row.where, "expected 'label'");
  return *found;
}

// run_glue.py tells a regression by labels that are written as decimal fractions.
bool is_fraction(const Json& label) {
  return label.is_string() ? label.get_ref<const std::string&>().find_first_of(".eE") != std::string::npos
                           : label.is_number_float();
}

// What the labels of rows may be: the names of the classes in the model's order, and those of GLUE's task in
// its own order, which numbers mean.
struct LabelNames {
  std::vector<std::string> by_class, of_task;

  // Names of a model that are the task's but for upper case say the order of its classes, as in run_glue.py.
  // Without such names the classes are in the task's order.
  LabelNames(const HeadConfig& head, const GlueTask* glue) : by_class(head.label_names) {
    if (!glue || static_cast<int64_t>(glue->label_names.size()) != head.num_labels) return;
    of_task = glue->label_names;
    for (std::string& name : by_class)
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    if (!std::is_permutation(by_class.begin(), by_class.end(), of_task.begin(), of_task.end()))
      by_class = of_task;
  }
  std::optional<int64_t> class_named(const std::string& name) const {
    const auto found = std::find(by_class.begin(), by_class.end(), name);
    if (found == by_class.end()) return std::nullopt;
    return found - by_class.begin();
  }
  int64_t class_numbered(int64_t number) const {
    return of_task.empty() ? number : class_named(of_task[static_cast<size_t>(number)]).value();
  }
};

// Returns the text that names a class.
std::string name_of(const Json& label) { return label.is_string() ? label.get<std::string>() : label.dump(); }

double class_of(const TaskRow& row, const HeadConfig& head, const LabelNames& names) {
  const Json& label = label_of(row);
  if (const auto named = names.class_named(name_of(label))) return static_cast<double>(*named);
  const auto number = number_of(label);
  if (!number || *number != std::floor(*number) || *number < 0 ||
      *number >= static_cast<double>(head.num_labels))
    fail(row.where, "label: expected {} or 0 to {}, given {}",
         names.by_class.empty() ? "a class" : fmt::format("a name such as '{}'", names.by_class[0]),
         head.num_labels - 1, label.dump());
  return static_cast<double>(names.class_numbered(static_cast<int64_t>(*number)));
}

double target_of_row(const TaskRow& row, const HeadConfig& head, const GlueTask* glue) {
  if (head.kind != HeadKind::regression) return class_of(row, head, LabelNames(head, glue));
  const auto number = number_of(label_of(row));
  if (!number || !std::isfinite(*number))
    fail(row.where, "label: expected a number, given {}", label_of(row).dump());
  return *number;
}

// The first of several equal logits counts.
int64_t predicted_class(std::span<const float> logits) {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

class ClassificationMetrics : public MetricSum {
 public:
  explicit ClassificationMetrics(const std::vector<MetricKind>& kinds) : kinds_(kinds) {}

  void add(const LossSum& loss, const Batch& batch, const Predictions& predictions) override {
    loss_ += loss;
    if (!predictions.values.defined()) return;
    const at::Tensor given = batch.targets.values.contiguous();
    has_classes_ = predictions.values.size(1) > 1;
    for (int64_t i = 0; i < given.size(0); ++i) {
      const auto logits = logits_at(predictions.values, i);
      const double value = given.const_data_ptr<double>()[i];
      given_.push_back(value);
      predicted_.push_back(static_cast<double>(logits[0]));
      given_classes_.push_back(static_cast<int64_t>(value));
      predicted_classes_.push_back(predicted_class(logits));
    }
  }
  std::vector<Metric> finish() const override {
    std::vector<Metric> metrics;
    for (const MetricKind& kind : kinds_) metrics.push_back({kind, value_of(kind.name)});
    // The combined score is the mean of the two metrics before it.
    if (metrics.back().name == "eval_combined_score")
      metrics.back().value = (metrics[1].value + metrics[2].value) / 2;
    return metrics;
  }

 private:
  double value_of(const std::string& name) const {
    if (name == "eval_loss") return loss_.mean();
    // The one output of a regression names no class.
    if (name == "eval_accuracy" && !has_classes_) return std::numeric_limits<double>::quiet_NaN();
    if (name == "eval_accuracy") return accuracy(predicted_classes_, given_classes_);
    if (name == "eval_f1") return f1_of_ones(predicted_classes_, given_classes_);
    if (name == "eval_matthews_correlation") return matthews_correlation(predicted_classes_, given_classes_);
    if (name == "eval_pearson") return pearson(predicted_, given_);
    return name == "eval_spearmanr" ? spearman(predicted_, given_) : 0;
  }

  const std::vector<MetricKind>& kinds_;
  LossSum loss_;
  bool has_classes_ = true;
  std::vector<double> given_, predicted_;
  std::vector<int64_t> given_classes_, predicted_classes_;
};

// The labels of a user's own rows, which are names, whole numbers or decimal fractions.
class LabelCount {
 public:
  void add(const Json& label) {
    const auto number = number_of(label);
    if (!number)
      names_.insert(name_of(label));
    else if (is_fraction(label) || *number != std::floor(*number) || std::abs(*number) > kMostWhole)
      has_fractions_ = true;
    else
      numbers_.insert(static_cast<int64_t>(*number));
  }

  // Returns the names of the classes, if the labels are names or whole numbers that cannot count
  // classes from 0. The latter are names in their order, as in run_glue.py. `wanted` is the number
  // of classes, or 0.
  std::vector<std::string> names(int64_t wanted) const {
    if (!names_.empty()) return {names_.begin(), names_.end()};
    std::vector<std::string> numerals;
    const bool counts_classes =
        numbers_.size() < 2 || has_fractions_ || smallest() == 0 || (smallest() > 0 && largest() < wanted);
    if (counts_classes) return {};
    for (const int64_t number : numbers_) numerals.push_back(std::to_string(number));
    return numerals;
  }
  // Returns the number of classes without names; 1 means a regression.
  int64_t classes() const {
    return has_fractions_ || smallest() < 0 ? 1 : std::max<int64_t>(1, largest()) + 1;
  }

 private:
  static constexpr double kMostWhole = 9007199254740992;  // 2^53, beyond which doubles skip some

  int64_t smallest() const { return numbers_.empty() ? 0 : *numbers_.begin(); }
  int64_t largest() const { return numbers_.empty() ? 0 : *numbers_.rbegin(); }

  std::set<std::string> names_;
  std::set<int64_t> numbers_;
  bool has_fractions_ = false;
};

class ClassificationTask : public Task {
 public:
  explicit ClassificationTask(const GlueTask* glue) : glue_(glue) {
    kinds_.push_back({.name = "eval_loss", .title = "Evaluation loss"});
    if (!glue) kinds_.push_back(kind_of("accuracy"));
    if (glue)
      for (const std::string& metric : glue->metrics) kinds_.push_back(kind_of(metric));
  }

  std::string name() const override { return "sequence_classification"; }
  std::string variant() const override { return glue_ ? glue_->name : ""; }
  const std::vector<MetricKind>& metrics() const override { return kinds_; }
  std::unique_ptr<MetricSum> new_metrics() const override {
    return std::make_unique<ClassificationMetrics>(kinds_);
  }
  Batch batch_of(const at::Tensor& ids) const override { return batch_with_targets(ids, false); }
  bool reads_rows() const override { return true; }
  bool fits(const HeadConfig& head) const override {
    return head.kind == HeadKind::classification || head.kind == HeadKind::regression;
  }
  TableLayout layout() const override { return glue_ ? glue_->layout : TableLayout(); }

  HeadConfig new_head(const NewHead& wanted, const ReadRows& read_rows) const override {
    HeadConfig head;
    head.num_labels = wanted.num_labels;
    if (!glue_ && wanted.num_labels != 1) count_labels(head, read_rows);
    if (glue_) head.label_names = glue_->label_names;
    if (glue_ && head.num_labels == 0) head.num_labels = glue_->num_labels;
    head.kind = head.num_labels == 1 ? HeadKind::regression : HeadKind::classification;
    return head;
  }
  ExampleRow encode(const TaskRow& row, const RowEncoding& encoding) const override {
    RowInput input = row_input(row, encoding);
    const int64_t place = scored_position(input.ids, encoding.config);
    ExampleRow out = row_of(std::move(input));
    out.places = {place};
    out.values = {target_of_row(row, encoding.config.head, glue_)};
    return out;
  }
  void write_rows(const Batch& batch, const Predictions& predictions, const HeadConfig& head,
                  const TakeRow& take) const override {
    for (int64_t i = 0; i < batch.targets.count; ++i) {
      const auto logits = logits_at(predictions.values, i);
      nlohmann::ordered_json row;
      if (head.kind == HeadKind::classification) {
        const int64_t predicted = predicted_class(logits);
        row["label"] = predicted;
        if (!head.label_names.empty()) row["label_name"] = label_name(head, predicted);
      } else {
        row["label"] = logits[0];
      }
      row["logits"] = std::vector<float>(logits.begin(), logits.end());
      row["loss"] = predictions.losses.const_data_ptr<double>()[i];
      take(row);
    }
  }

 private:
  static void count_labels(HeadConfig& head, const ReadRows& read_rows) {
    LabelCount count;
    read_rows([&](const TaskRow& row) {
      count.add(label_of(row));
      return true;
    });
    head.label_names = count.names(head.num_labels);
    const auto named = std::ssize(head.label_names);
    if (head.num_labels > 0 && named > head.num_labels)
      fail_usage("num_labels", "expected {}, the number of names in the rows, given {}", named,
                 head.num_labels);
    if (head.num_labels == 0) head.num_labels = named > 0 ? named : count.classes();
  }

  const GlueTask* glue_;  // null: labels and metrics of the user's own rows
  std::vector<MetricKind> kinds_;
};

}  // namespace

const std::vector<const Task*>& sequence_classification_tasks() {
  static const std::vector<ClassificationTask> tasks = [] {
    std::vector<ClassificationTask> all;
    all.emplace_back(nullptr);
    for (const GlueTask& glue : glue_tasks()) all.emplace_back(&glue);
    return all;
  }();
  static const std::vector<const Task*> pointers = [] {
    std::vector<const Task*> all;
    for (const ClassificationTask& task : tasks) all.push_back(&task);
    return all;
  }();
  return pointers;
}

}  // namespace galore
