// The table of sub-commands. It serves to call them and to list them in `galore help`.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace galore {

// Runs a command. `arguments` holds its name and the arguments after it. Returns the exit status.
int run_command(const std::vector<std::string>& arguments);

// Returns the name and the help text of each command.
std::vector<std::pair<std::string, std::string>> command_list();

int bench_command(const std::vector<std::string>& arguments);
int completion_command(const std::vector<std::string>& arguments);
int eval_command(const std::vector<std::string>& arguments);
int generate_command(const std::vector<std::string>& arguments);
int memory_command(const std::vector<std::string>& arguments);
int methods_command(const std::vector<std::string>& arguments);
int replay_command(const std::vector<std::string>& arguments);
int report_command(const std::vector<std::string>& arguments);
int schema_command(const std::vector<std::string>& arguments);
int train_command(const std::vector<std::string>& arguments);
int version_command(const std::vector<std::string>& arguments);

}  // namespace galore
