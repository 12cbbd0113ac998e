// `galore info PATH`: what a checkpoint folder, a run's folder, a safetensors file, a config.json or a token
// file holds.
#pragma once

#include <string>
#include <vector>

namespace galore {

// `arguments`: what follows "info" on the command line. Prints to stdout; returns the exit status. A path
// that is none of these, or is damaged, is an Error.
int info_command(const std::vector<std::string>& arguments);

}  // namespace galore
