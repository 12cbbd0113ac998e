#include "core/child_process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/errors.h"

namespace galore {
namespace {

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

pid_t start_again(const std::vector<std::string>& arguments, const std::vector<std::string>& variables) {
  std::vector<std::string> words{"galore"}, all;
  words.insert(words.end(), arguments.begin(), arguments.end());
  for (char** variable = environ; *variable; ++variable) all.emplace_back(*variable);
  all.insert(all.end(), variables.begin(), variables.end());
  // Between fork() and execve() nothing may allocate memory.
  const std::vector<char*> word_pointers = pointers_to(words), variable_pointers = pointers_to(all);
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) fail("nproc_per_node", "cannot start a process: {}", std::strerror(errno));
  if (child > 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::getppid() == parent) ::execve("/proc/self/exe", word_pointers.data(), variable_pointers.data());
  ::_exit(127);
}

}  // namespace galore
