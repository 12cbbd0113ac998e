// Helpers for tests of messages.
#pragma once

#include <string>

#include "core/errors.h"

namespace galore {

// Returns the text of the Error that `action` throws, or "" when it throws none.
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
