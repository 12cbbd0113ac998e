// `galore info PATH` describes a checkpoint folder, a run's folder, a safetensors file, a config.json or a
// token file. `galore info --kernels` lists the operations of this program and where they run.
#pragma once

#include "cli/arguments.h"

namespace galore {

// `arguments` holds the arguments after "info". Prints to stdout and returns the exit status. A path of
// another kind and a damaged file are Errors.
int info_command(const Arguments& arguments);

}  // namespace galore
