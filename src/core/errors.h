// Errors that a user can cause all have one form: "[where] expected ..., given ...".
//
// Anything that a file, an option or a machine can get wrong throws `Error`; the program prints what() on one
// line and exits with status 1. Violated invariants that only this code can cause are assertions
// (GALORE_ASSERT).
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace galore {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A wrong command line has the same form; the program exits with status 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

template <typename... Args>
[[noreturn]] void fail(const std::string& where, fmt::format_string<Args...> format, Args&&... args) {
  throw Error("[" + where + "] " + fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
[[noreturn]] void fail_usage(const std::string& where, fmt::format_string<Args...> format, Args&&... args) {
  throw UsageError("[" + where + "] " + fmt::format(format, std::forward<Args>(args)...));
}

// Returns the text up to the first line break. Libraries append stack traces to their messages.
inline std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

[[noreturn]] inline void assertion_failed(const char* condition, const char* file, int line) {
  throw std::logic_error(fmt::format("{}:{}: broken invariant: {}", file, line, condition));
}

}  // namespace galore

#define GALORE_ASSERT(condition) \
  ((condition) ? void(0) : ::galore::assertion_failed(#condition, __FILE__, __LINE__))
