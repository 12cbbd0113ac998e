#pragma once

#include "core/errors.h"

namespace galore {

// Tells that another process has failed or cannot be reached. Nothing of the current update is kept.
class LostProcess : public Error {
 public:
  using Error::Error;
};

}  // namespace galore
