#include "cli/completion.h"

#include <fmt/format.h>

namespace galore {
namespace {

// Removes or replaces characters that have a meaning inside single quotes or brackets in the shells'
// notations.
std::string unquoted(const std::string& help) {
  std::string text;
  for (const char c : help) {
    if (c == '\'' || c == '\\') continue;
    text += c == '[' || c == '{' ? '(' : c == ']' || c == '}' ? ')' : c == ':' ? ';' : c;
  }
  return text;
}

constexpr const char* kBashFunction = R"(
_galore() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} key
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "${!_galore_options[*]}" -- "$current")
    return
  fi
  # '=' is a word of its own here.
  if [ "$current" = = ]; then
    current= key=$previous
  elif [ "$previous" = = ]; then
    key=${COMP_WORDS[COMP_CWORD-2]}
  elif [[ $previous == --* ]]; then
    key=$previous
  fi
  key=${key#--} key=${key//-/_}
  if [ -n "$key" ] && [ -n "${_galore_values[$command $key]}" ]; then
    mapfile -t COMPREPLY < <(compgen -W "${_galore_values[$command $key]}" -- "$current")
  elif [ -n "$key" ]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${_galore_options[$command]}" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -o filenames -F _galore galore
)";

}  // namespace

std::vector<CompletedOption> completed_options(const OptionTable& table) {
  std::vector<CompletedOption> all;
  for (const auto& option : table.options()) {
    std::vector<std::string> values = option->allowed();
    if (option->type() == "bool") {
      values = {"true", "false"};
      values.insert(values.end(), option->words().begin(), option->words().end());
    }
    all.push_back({option->name(), option->help(), values});
    for (const std::string& alias : option->aliases())
      all.push_back({alias, "the same as " + option->name(), values});
  }
  return all;
}

std::string bash_completion(const std::vector<CompletedCommand>& commands) {
  std::string text =
      "# bash completion of galore; in ~/.bashrc: source <(galore completion bash)\n"
      "declare -gA _galore_options _galore_values\n";
  for (const CompletedCommand& command : commands) {
    std::string names = "--help";
    for (const CompletedOption& option : command.options) {
      names += " --" + option.name;
      if (!option.values.empty())
        text += fmt::format("_galore_values['{} {}']='{}'\n", command.name, option.name,
                            fmt::join(option.values, " "));
    }
    text += fmt::format("_galore_options['{}']='{}'\n", command.name, names);
  }
  return text + kBashFunction;
}

std::string zsh_completion(const std::vector<CompletedCommand>& commands) {
  std::string text =
      "#compdef galore\n# zsh completion of galore; in ~/.zshrc, after compinit: source <(galore completion "
      "zsh)\n_galore() {\n  local -a commands=(\n";
  for (const CompletedCommand& command : commands)
    text += fmt::format("    '{}:{}'\n", command.name, unquoted(command.help));
  text +=
      "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n"
      "  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in\n";
  for (const CompletedCommand& command : commands) {
    text += fmt::format("    {})\n      _arguments '--help[list the options]'", command.name);
    for (const CompletedOption& option : command.options) {
      const std::string values =
          option.values.empty() ? "_files" : fmt::format("({})", fmt::join(option.values, " "));
      text += fmt::format(" \\\n        '--{}[{}]:{}:{}'", option.name, unquoted(option.help), option.name,
                          values);
    }
    text += " '*:file:_files' ;;\n";
  }
  return text + "  esac\n}\ncompdef _galore galore\n";
}

std::string fish_completion(const std::vector<CompletedCommand>& commands) {
  std::string text =
      "# fish completion of galore: galore completion fish > ~/.config/fish/completions/galore.fish\n";
  for (const CompletedCommand& command : commands)
    text += fmt::format("complete -c galore -f -n __fish_use_subcommand -a '{}' -d '{}'\n", command.name,
                        unquoted(command.help));
  for (const CompletedCommand& command : commands)
    for (const CompletedOption& option : command.options)
      text +=
          fmt::format("complete -c galore -n '__fish_seen_subcommand_from {}' -l '{}' {} -d '{}'\n",
                      command.name, option.name,
                      option.values.empty() ? "-r" : fmt::format("-x -a '{}'", fmt::join(option.values, " ")),
                      unquoted(option.help));
  return text;
}

}  // namespace galore
