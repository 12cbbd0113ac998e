#include "tasks/task.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/batch.h"
#include "core/errors.h"
#include "core/test_message.h"
#include "heads/head.h"

namespace galore {
namespace {

TEST(Tasks, AreFoundByName) {
  for (const std::string& name : task_names()) EXPECT_EQ(find_task(name).name(), name);
  EXPECT_EQ(message_of([] { find_task("causal_ml"); }),
            "[task] unknown task 'causal_ml'; the nearest known one is 'causal_lm'");
  for (const std::string& name : task_variants())
    EXPECT_EQ(find_task("sequence_classification", name).variant(), name);
  EXPECT_EQ(message_of([] { find_task("sequence_classification", "kola"); }),
            "[task_name] the task sequence_classification has no 'kola'; the nearest known one is 'cola'");
}

TEST(Tasks, FinishReturnsTheMetricsThatAreDeclared) {
  for (const std::string& name : task_names()) {
    const Task& task = find_task(name);
    const std::vector<Metric> metrics = task.new_metrics()->finish();
    ASSERT_EQ(metrics.size(), task.metrics().size()) << name;
    for (size_t i = 0; i < metrics.size(); ++i) EXPECT_EQ(metrics[i].name, task.metrics()[i].name) << name;
    EXPECT_FALSE(task.metrics()[0].is_for_comparison()) << name << ": the first one chooses the best model";
  }
}

TEST(Tasks, MetricsAreNamedWithAndWithoutThePrefix) {
  const Task& task = find_task("causal_lm");
  for (const char* name : {"eval_loss", "loss"}) EXPECT_EQ(find_metric(task, name)->name, "eval_loss");
  for (const char* name : {"perplexity", "eval_perplexity"})
    EXPECT_EQ(find_metric(task, name)->name, "perplexity");
  EXPECT_EQ(find_metric(task, "eval_loss_family"), nullptr) << "it is for comparison only";
  EXPECT_EQ(find_metric(task, "accuracy"), nullptr);
  for (const std::string& name : metric_choices()) {
    bool is_known = false;
    for (const std::string& other : task_names()) is_known |= find_metric(find_task(other), name) != nullptr;
    for (const std::string& glue : task_variants())
      is_known |= find_metric(find_task("sequence_classification", glue), name) != nullptr;
    EXPECT_TRUE(is_known) << name;
  }
  std::set<std::string> names;
  for (const MetricKind& kind : all_metrics()) EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
}

TEST(CausalTask, WeighsByTokensAndCountsAsTheFamilyDoes) {
  const auto sum = find_task("causal_lm").new_metrics();
  sum->add({3.0 * 1, 3}, {}, {});
  sum->add({6.0 * 2, 6}, {}, {});
  const std::vector<Metric> metrics = sum->finish();
  EXPECT_EQ(text_of(metrics, ", ", /*all=*/false), "eval_loss 1.6667, perplexity 5.29");
  EXPECT_EQ(metrics[0].value, 15.0 / 9);
  EXPECT_EQ(metrics[1].value, std::exp(15.0 / 9));
  EXPECT_EQ(metrics[2].value, (1.0 + 2.0) / 3);
  sum->add({std::nan(""), 3}, {}, {});
  for (const Metric& metric : sum->finish()) EXPECT_TRUE(std::isnan(metric.value)) << metric.name;
  EXPECT_EQ(text_of(sum->finish(), ", ", /*all=*/false), "eval_loss nan")
      << "the other metrics are not defined";
}

TEST(Tasks, ABatchOfIdsHasTargetsOnAnyDevice) {
  for (const std::string& name : task_names()) {
    const at::Tensor ids = at::arange(15, at::kLong).view({3, 5});
    const Batch batch = find_task(name).batch_of(ids);
    EXPECT_TRUE(at::equal(batch.ids.narrow(1, 0, 5), ids)) << name;  // rows of dpo hold them twice
    EXPECT_GT(batch.targets.count, 0) << name;
    const Batch planned = find_task(name).batch_of(at::empty({3, 5}, ids.options().device(at::kMeta)));
    EXPECT_TRUE(planned.ids.is_meta()) << name;
    const auto sizes = [](const at::Tensor& tensor) {
      return tensor.defined() ? tensor.sizes().vec() : std::vector<int64_t>();
    };
    EXPECT_EQ(sizes(planned.targets.labels), sizes(batch.targets.labels)) << name;
    EXPECT_EQ(sizes(planned.targets.places), sizes(batch.targets.places)) << name;
    EXPECT_EQ(sizes(planned.targets.values), sizes(batch.targets.values)) << name;
  }
}

TEST(CausalTask, PredictsTheNextToken) {
  const Batch batch = find_task("causal_lm").batch_of(at::tensor({1, 2, 3}, at::kLong).view({1, 3}));
  EXPECT_TRUE(at::equal(batch.targets.labels.view(-1), at::tensor({2, 3, -100}, at::kLong)));
  EXPECT_EQ(batch.targets.count, 2);
}

}  // namespace
}  // namespace galore
