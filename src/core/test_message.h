// For tests of all folders: what an Error or another text says.
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

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace galore
