#include "distributed/spawn.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/child_process.h"
#include "core/clock.h"
#include "core/errors.h"
#include "distributed/group.h"

namespace galore {
namespace {

constexpr double kGraceSeconds = 5;  // until TERM, and from TERM to KILL
constexpr std::array kPassedOn{SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};

sigset_t waited_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  for (const int signal : kPassedOn) sigaddset(&set, signal);
  return set;
}

// Returns what tells a process its place and the store.
std::vector<std::string> variables_of(int64_t rank, int64_t count, const StorePlace& store) {
  return {fmt::format("RANK={}", rank),        fmt::format("LOCAL_RANK={}", rank),
          fmt::format("WORLD_SIZE={}", count), fmt::format("LOCAL_WORLD_SIZE={}", count),
          "MASTER_ADDR=" + store.host,         fmt::format("MASTER_PORT={}", store.port),
          "TORCHELASTIC_USE_AGENT_STORE=True"};
}

class Children {
 public:
  void add(pid_t child) { started_.push_back(child), running_.push_back(child); }
  bool done() const { return running_.empty(); }
  int status() const { return status_; }
  void send(int signal) const {
    for (const pid_t child : running_) ::kill(child, signal);
  }
  // Takes note of the processes that have ended.
  void collect() {
    int status = 0;
    for (pid_t child = ::waitpid(-1, &status, WNOHANG); child > 0; child = ::waitpid(-1, &status, WNOHANG)) {
      std::erase(running_, child);
      const int result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      if (result == 0 || status_ != 0) continue;
      status_ = result;
      failed_at_ = steady_seconds();
      const auto rank = std::find(started_.begin(), started_.end(), child) - started_.begin();
      if (WIFSIGNALED(status))
        fmt::print(stderr, "galore: rank {} (pid {}) was ended by signal {}\n", rank, child, result - 128);
    }
  }
  // Ends processes that go on long after another one has failed.
  void end_late_ones() {
    if (status_ == 0 || steady_seconds() - failed_at_ < kGraceSeconds * (1 + ended_)) return;
    send(ended_ == 0 ? SIGTERM : SIGKILL);
    ++ended_;
  }

 private:
  std::vector<pid_t> started_, running_;  // the first one by rank
  int status_ = 0, ended_ = 0;
  double failed_at_ = 0;
};

}  // namespace

int run_processes(int64_t count, const std::vector<std::string>& arguments) {
  const sigset_t waited = waited_signals();
  ::sigprocmask(SIG_BLOCK, &waited, nullptr);  // before the store's threads start, which inherit this
  StorePlace place{"127.0.0.1", 0};
  const auto store = serve_store(place, kGraceSeconds);
  Children children;
  for (int64_t rank = 0; rank < count; ++rank)
    children.add(start_again(arguments, variables_of(rank, count, place)));
  while (!children.done()) {
    siginfo_t info{};
    const timespec moment{0, 200'000'000};
    const int signal = ::sigtimedwait(&waited, &info, &moment);
    // A terminal sends its signal to the processes as well, and a second one would end them at once.
    if (signal > 0 && signal != SIGCHLD && info.si_code <= 0) children.send(signal);
    children.collect();
    children.end_late_ones();
  }
  return children.status();
}

}  // namespace galore
