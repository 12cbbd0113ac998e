// Writes the scripts by which shells complete galore's command line.
#pragma once

#include <string>
#include <vector>

#include "core/options.h"

namespace galore {

struct CompletedOption {
  std::string name, help;
  std::vector<std::string> values;  // empty: any value; the shell offers files
};
struct CompletedCommand {
  std::string name, help;
  std::vector<CompletedOption> options;
};

// Returns the table's options, one entry for each name and alias.
std::vector<CompletedOption> completed_options(const OptionTable& table);

std::string bash_completion(const std::vector<CompletedCommand>& commands);
std::string zsh_completion(const std::vector<CompletedCommand>& commands);
std::string fish_completion(const std::vector<CompletedCommand>& commands);

}  // namespace galore
