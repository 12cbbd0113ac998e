// Declares all tasks. Each is defined in the source file of its name and listed in task.cpp.
#pragma once

#include "tasks/task.h"

namespace galore {

const Task& causal_lm_task();
const Task& masked_lm_task();
const Task& value_task();
const Task& q_value_task();
const Task& reward_task();
const Task& dpo_task();
// One task for the user's own rows, and one for each task of GLUE.
const std::vector<const Task*>& sequence_classification_tasks();

}  // namespace galore
