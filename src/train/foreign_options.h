// Option names of other programs: LLaMA-Factory, axolotl and the research scripts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/train_options.h"

namespace galore {

void declare_options(OptionTable& table, ForeignOptions& options);
// Turns foreign names into ours and notes each. If two names set the same thing, the command line takes
// precedence over a file; two names in one place are refused unless they agree.
void resolve_foreign(TrainOptions& options, OptionTable& table, std::vector<std::string>& notes);

// Keys without effect here are accepted with a note that gives the reason. Keys for features that we lack are
// refused.
void declare_foreign_keys(OptionTable& table, std::map<std::string, std::string>& values);
void resolve_foreign_keys(OptionTable& table, std::vector<std::string>& notes);

}  // namespace galore
