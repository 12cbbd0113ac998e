#include <fmt/core.h>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "core/errors.h"

namespace galore {
namespace {

// Asks every command for its help and takes its option table.
std::vector<CompletedCommand> all_commands() {
  std::vector<CompletedCommand> all;
  for (const auto& [name, help] : command_list()) {
    CompletedCommand command{name, help, {}};
    const auto take = [&](const std::string&, const OptionTable& table) {
      command.options = completed_options(table);
    };
    run_command(Arguments({name, "--help"}, take));
    all.push_back(command);
  }
  return all;
}

}  // namespace

int completion_command(const Arguments& arguments) {
  std::string shell;
  OptionTable table;
  table.add("shell", &shell, "bash, zsh or fish; --shell may be left out").choices({"bash", "zsh", "fish"});
  Arguments rest = arguments;
  if (const auto word = rest.take_word()) table.set(kCommandLine, "shell", *word);
  if (!parse_arguments("completion", table, rest)) return 0;
  if (shell.empty()) fail_usage("completion", "expected a shell: galore completion bash, zsh or fish");
  const auto commands = all_commands();
  if (shell == "bash") fmt::print("{}", bash_completion(commands));
  if (shell == "zsh") fmt::print("{}", zsh_completion(commands));
  if (shell == "fish") fmt::print("{}", fish_completion(commands));
  return 0;
}

}  // namespace galore
