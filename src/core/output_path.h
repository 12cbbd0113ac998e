// Paths of outputs that a user names.
#pragma once

#include "core/files.h"

namespace galore {

// Returns the path behind a symbolic link, so that the link stays one when the file is replaced. Files inside
// a model's folder replace their links instead, because these may lead into a cache that others share.
Path behind_link(const Path& path);

// Throws a UsageError that names output_dir if `output` is the folder that a command reads its model from.
void require_other_folder(const Path& model, const Path& output);

// Returns true if writing to this path writes into the standard output, as for /dev/stdout. A command's own
// messages then belong on the standard error.
bool is_standard_output(const Path& path);

}  // namespace galore
