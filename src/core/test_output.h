// Runs commands for tests.
#pragma once

#include <array>
#include <cstdio>
#include <memory>
#include <string>

namespace galore {

// Returns the standard output of a shell command, or "" if it cannot be started.
inline std::string output_of(const std::string& command) {
  std::string text;
  std::array<char, 4096> buffer{};
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  if (!pipe) return text;
  for (size_t count = 0; (count = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) > 0;)
    text.append(buffer.data(), count);
  return text;
}

}  // namespace galore
