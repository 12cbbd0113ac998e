// Declares all tasks. Each is defined in the source file of its name and listed in task.cpp.
#pragma once

#include "tasks/task.h"

namespace galore {

const Task& causal_lm_task();

}  // namespace galore
