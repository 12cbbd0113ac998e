// Names of other programs: LLaMA-Factory's, axolotl's and the research scripts'.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/train_options.h"

namespace galore {

void declare_options(OptionTable& table, ForeignOptions& options);
// Turns foreign names into ours, with a note each. Where two names say one thing, the command line's goes
// before a file's; both in one place are refused, unless they agree.
void resolve_foreign(TrainOptions& options, OptionTable& table, std::vector<std::string>& notes);

// Keys that have no effect here, each with its reason as a note, and keys for something that is not there,
// which are refused.
void declare_foreign_keys(OptionTable& table, std::map<std::string, std::string>& values);
void resolve_foreign_keys(OptionTable& table, std::vector<std::string>& notes);

}  // namespace galore
