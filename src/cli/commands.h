// The table of sub-commands. It serves to call them and to list them in `galore help`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/arguments.h"

namespace galore {

// Runs a command. `arguments` holds its name and the arguments after it. Returns the exit status.
int run_command(const Arguments& arguments);

// Returns the name and the help text of each command.
std::vector<std::pair<std::string, std::string>> command_list();

int bench_command(const Arguments& arguments);
int compress_command(const Arguments& arguments);
int completion_command(const Arguments& arguments);
int eval_command(const Arguments& arguments);
int export_command(const Arguments& arguments);
int generate_command(const Arguments& arguments);
int memory_command(const Arguments& arguments);
int merge_command(const Arguments& arguments);
int methods_command(const Arguments& arguments);
int replay_command(const Arguments& arguments);
int report_command(const Arguments& arguments);
int score_command(const Arguments& arguments);
int schema_command(const Arguments& arguments);
int train_command(const Arguments& arguments);
int version_command(const Arguments& arguments);

}  // namespace galore
