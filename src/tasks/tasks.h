// The tasks that there are; each is defined in the source of its name, and listed in task.cpp.
#pragma once

#include "tasks/task.h"

namespace galore {

const Task& causal_lm_task();

}  // namespace galore
