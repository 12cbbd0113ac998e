// Starts this program again.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace galore {

// Starts a process of this program with `arguments` and, beside the variables of this process, `variables`
// ("NAME=value"). No signal is blocked there, and it gets SIGTERM when this process ends. Returns its number.
// An Error tells that it cannot be started; it ends with status 127 if the program cannot be run.
pid_t start_again(const std::vector<std::string>& arguments, const std::vector<std::string>& variables);

}  // namespace galore
