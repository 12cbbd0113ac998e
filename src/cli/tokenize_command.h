// `galore tokenize` converts files between text and token ids.
#pragma once

#include "cli/arguments.h"

namespace galore {

// Converts rows {"text"} (or a .txt file) to rows {"input_ids"} or to a .bin shard. With --decode, converts
// rows {"input_ids"} to rows {"text"}.
int tokenize_command(const Arguments& arguments);

}  // namespace galore
