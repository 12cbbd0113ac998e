// Explains why a name that a user gave is not the folder of a model.
#pragma once

#include "core/files.h"

namespace galore {

// Throws an Error unless `source` is a file, or a folder that holds a config.json. A name of the hub is
// answered with the command that fetches it, and a folder of checkpoints with the path of the latest.
void require_model(const Path& source);

}  // namespace galore
