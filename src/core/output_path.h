// Paths of outputs that a user names.
#pragma once

#include "core/files.h"

namespace galore {

// Returns the path behind a symbolic link, so that the link stays one when the file is replaced. Files inside
// a model's folder replace their links instead, because these may lead into a cache that others share.
Path behind_link(const Path& path);

}  // namespace galore
