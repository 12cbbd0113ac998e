#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "core/errors.h"
#include "core/heap_policy.h"
#include "report/terminal.h"

namespace {

void complain(const std::string& reason) {
  const bool coloured = galore::wants_colours(STDERR_FILENO);
  const std::string line =
      fmt::format("{} {}\n", galore::painted("galore:", galore::Tone::error, coloured), reason);
  std::fputs(line.c_str(), stderr);  // a closed pipe must not hide the exit status behind an exception
}

// Without this, the first file that is opened gets the number of a closed standard stream, and lines for
// people would be written into a checkpoint. Output and input are opened the wrong way around, so that using
// them fails as it does with a closed stream.
void reserve_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) == -1 && errno == EBADF)
      ::open("/dev/null", stream == STDOUT_FILENO ? O_RDONLY : O_WRONLY);
}

// Ends the program after a failure. Threads of a library may wait for another process that is gone, and would
// keep the end of main() waiting.
[[noreturn]] void end(int status) {
  std::fflush(nullptr);
  std::_Exit(status);
}

int run(const std::vector<std::string>& arguments) {
  const int status = galore::run_command(arguments);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    galore::fail("stdout", "the result could not be written: {}", std::strerror(errno));
  return status;
}

}  // namespace

int main(int count, char** arguments) {
  galore::keep_large_blocks_off_the_heap();
  reserve_standard_streams();
  // With the signal ignored, a file above the user's limit (ulimit -f) is an error of write(), reported in
  // one line.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return run(std::vector<std::string>(arguments + 1, arguments + count));
  } catch (const galore::UsageError& error) {
    complain(error.what());
    end(2);
  } catch (const std::exception& error) {
    complain(galore::first_line(error.what()));
    end(1);
  }
}
