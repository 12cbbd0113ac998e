// The tasks of GLUE (arXiv 1804.07461): columns of their files, names of their classes and their metrics.
#pragma once

#include <string>
#include <vector>

#include "tasks/task_rows.h"

namespace galore {

struct GlueTask {
  std::string name;  // the key of run_glue.py: "cola"
  TableLayout layout;
  std::vector<std::string> label_names;  // empty: the labels are numbers
  int64_t num_labels = 2;                // 1: regression
  std::vector<std::string> metrics;      // names without "eval_", the most important first
};

const std::vector<GlueTask>& glue_tasks();

}  // namespace galore
