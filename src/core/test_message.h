// For tests of all folders: what an Error says.
#pragma once

#include <string>

#include "core/errors.h"

namespace galore {

// What `action` complains about, "" if it does not.
template <typename Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace galore
