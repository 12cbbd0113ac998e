#include "tasks/glue.h"

namespace galore {
namespace {

TableLayout sentence(TableColumn text, TableColumn label) {
  text.key = "sentence";
  label.key = label.alias = "label";
  return {{std::move(text), std::move(label)}};
}

TableLayout pair(TableColumn first, TableColumn second, TableColumn label) {
  first.key = "sentence1";
  second.key = "sentence2";
  label.key = label.alias = "label";
  return {{std::move(first), std::move(second), std::move(label)}};
}

}  // namespace

// Lines of QQP's file that lack columns are left out, as in the hub's data set.
TableLayout without_short_lines(TableLayout layout) {
  layout.leaves_out_short_lines = true;
  return layout;
}

// The aliases are the names in the data sets of the hub, which run_glue.py reads.
//
// The places count where a file has no line of names: CoLA always, and SST-2 in some collections.
const std::vector<GlueTask>& glue_tasks() {
  const std::vector<std::string> entailment{"entailment", "not_entailment"};
  const std::vector<std::string> accuracy{"accuracy"};
  static const std::vector<GlueTask> tasks{
      {"cola", sentence({"", "sentence", 3}, {"", "label", 1}), {}, 2, {"matthews_correlation"}},
      {"sst2", sentence({"", "sentence", 0}, {"", "label", 1}), {}, 2, accuracy},
      {"mrpc",
       pair({"", "#1 String", 3, "sentence1"}, {"", "#2 String", 4, "sentence2"}, {"", "Quality", 0}),
       {},
       2,
       {"accuracy", "f1", "combined_score"}},
      {"qqp",
       without_short_lines(pair({"", "question1", 3}, {"", "question2", 4}, {"", "is_duplicate", 5})),
       {},
       2,
       {"accuracy", "f1", "combined_score"}},
      {"stsb",
       pair({"", "sentence1", 7}, {"", "sentence2", 8}, {"", "score", -1}),
       {},
       1,
       {"pearson", "spearmanr", "combined_score"}},
      {"mnli",
       pair({"", "sentence1", 8, "premise"}, {"", "sentence2", 9, "hypothesis"}, {"", "gold_label", -1}),
       {"entailment", "neutral", "contradiction"},
       3,
       accuracy},
      {"qnli", pair({"", "question", 1}, {"", "sentence", 2}, {"", "label", -1}), entailment, 2, accuracy},
      {"rte", pair({"", "sentence1", 1}, {"", "sentence2", 2}, {"", "label", -1}), entailment, 2, accuracy},
      {"wnli", pair({"", "sentence1", 1}, {"", "sentence2", 2}, {"", "label", -1}), {}, 2, accuracy}};
  return tasks;
}

}  // namespace galore
