// galore tokenize: text to token ids and back, in files.
#pragma once

#include <string>
#include <vector>

namespace galore {

// Rows {"text"} (or a .txt) to rows {"input_ids"} or a .bin shard; with --decode, rows {"input_ids"} to
// {"text"}.
int tokenize_command(const std::vector<std::string>& arguments);

}  // namespace galore
