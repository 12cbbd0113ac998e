#include "tasks/task.h"

#include <algorithm>

#include "core/errors.h"
#include "core/options.h"
#include "tasks/tasks.h"

namespace galore {
namespace {

constexpr const char* kEvalPrefix = "eval_";

const std::vector<const Task*>& all_tasks() {
  static const std::vector<const Task*> tasks = [] {
    std::vector<const Task*> all{&causal_lm_task(), &masked_lm_task(), &value_task(),
                                 &q_value_task(),   &reward_task(),    &dpo_task()};
    const auto& classification = sequence_classification_tasks();
    all.insert(all.end(), classification.begin(), classification.end());
    return all;
  }();
  return tasks;
}

// Returns the name, and the name with its prefix "eval_" removed or added.
std::vector<std::string> spellings(const std::string& name) {
  const std::string prefix = kEvalPrefix;
  return {name, name.starts_with(prefix) ? name.substr(prefix.size()) : prefix + name};
}

}  // namespace

ExampleRow Task::encode(const TaskRow& row, const RowEncoding& /*encoding*/) const {
  fail(row.where, "the task {} reads tokens, not rows", name());
}

MakeTargets Task::make_targets(const BackupRule& backup) const {
  if (!reads_rows()) return nullptr;
  return [backup](const ExampleRows& rows) { return score_targets(rows, backup); };
}

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const Task* task : all_tasks())
    if (task->variant().empty()) names.push_back(task->name());
  return names;
}

std::vector<std::string> task_variants() {
  std::vector<std::string> names;
  for (const Task* task : all_tasks())
    if (!task->variant().empty()) names.push_back(task->variant());
  return names;
}

const Task& find_task(const std::string& name, const std::string& variant) {
  bool is_known = false;
  for (const Task* task : all_tasks()) {
    if (task->name() == name && task->variant() == variant) return *task;
    is_known = is_known || task->name() == name;
  }
  if (is_known)
    fail_usage("task_name", "the task {} has no '{}'; the nearest known one is '{}'", name, variant,
               nearest_name(variant, task_variants()));
  fail_usage("task", "unknown task '{}'; the nearest known one is '{}'", name,
             nearest_name(name, task_names()));
}

std::string task_of(const HeadConfig& head) {
  for (const Task* task : all_tasks())
    if (task->fits(head)) return task->name();
  GALORE_ASSERT(false && "a head without a task");
}

void require_head_for(const Task& task, const HeadConfig& head) {
  if (!task.fits(head))
    fail_usage("task", "expected {}, for which the model's head was made, given {}", task_of(head),
               task.name());
}

std::vector<MetricKind> all_metrics() {
  std::vector<MetricKind> all;
  for (const Task* task : all_tasks())
    for (const MetricKind& kind : task->metrics()) {
      const auto is_same = [&](const MetricKind& known) { return known.name == kind.name; };
      if (std::none_of(all.begin(), all.end(), is_same)) all.push_back(kind);
    }
  return all;
}

const MetricKind* find_metric(const Task& task, const std::string& name) {
  for (const MetricKind& kind : task.metrics()) {
    const auto names = spellings(kind.name);
    if (!kind.is_for_comparison() && std::find(names.begin(), names.end(), name) != names.end()) return &kind;
  }
  return nullptr;
}

std::vector<std::string> metric_choices() {
  std::vector<std::string> choices;
  for (const MetricKind& kind : all_metrics())
    if (!kind.is_for_comparison())
      for (const std::string& name : spellings(kind.name)) choices.push_back(name);
  return choices;
}

}  // namespace galore
