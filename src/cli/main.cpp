#include <fmt/core.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "core/errors.h"
#include "report/terminal.h"

namespace {

void complain(const std::string& reason) {
  const bool coloured = galore::wants_colours(STDERR_FILENO);
  fmt::print(stderr, "{} {}\n", galore::painted("galore:", galore::Tone::error, coloured), reason);
}

}  // namespace

int main(int count, char** arguments) {
  // With the signal ignored, a file above the user's limit (ulimit -f) is an error of write(), reported in
  // one line.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return galore::run_command(std::vector<std::string>(arguments + 1, arguments + count));
  } catch (const galore::UsageError& error) {
    complain(error.what());
    return 2;
  } catch (const std::exception& error) {
    const std::string text = error.what();
    complain(text.substr(0, text.find('\n')));  // libraries append a stack trace
    return 1;
  }
}
