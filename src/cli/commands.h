// The sub-commands: one table, from which dispatch and the list of `galore help` come.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace galore {

// `arguments`: the command's name and what follows it. Returns the exit status.
int run_command(const std::vector<std::string>& arguments);

// Name and help of each.
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
