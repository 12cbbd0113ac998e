#include "train/signals.h"

#include <array>
#include <csignal>
#include <mutex>

namespace galore {
namespace {

constexpr std::array kHandled{SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};

volatile std::sig_atomic_t received_signal = 0;

void remember(int signal) {
  if (received_signal == 0) received_signal = signal;
}

struct Guarded {
  std::mutex lock;
  int guards = 0;
  std::array<struct sigaction, kHandled.size()> before{};  // the handlers before the first guard
};

Guarded& guarded() {
  static Guarded all;
  return all;
}

// A shell that cannot control jobs starts background processes with SIGINT ignored, but a run that is sent
// one is meant to stop.
bool stays_ignored(int signal, const struct sigaction& before) {
  return before.sa_handler == SIG_IGN && signal != SIGINT && signal != SIGTERM;
}

}  // namespace

SignalGuard::SignalGuard() {
  Guarded& all = guarded();
  const std::lock_guard lock(all.lock);
  if (all.guards++ > 0) return;
  received_signal = 0;
  struct sigaction action {};
  action.sa_handler = remember;
  action.sa_flags =
      static_cast<int>(static_cast<unsigned int>(SA_RESETHAND) | static_cast<unsigned int>(SA_RESTART));
  for (size_t i = 0; i < kHandled.size(); ++i) {
    ::sigaction(kHandled[i], nullptr, &all.before[i]);
    if (!stays_ignored(kHandled[i], all.before[i])) ::sigaction(kHandled[i], &action, nullptr);
  }
}

SignalGuard::~SignalGuard() {
  Guarded& all = guarded();
  const std::lock_guard lock(all.lock);
  if (--all.guards > 0) return;
  for (size_t i = 0; i < kHandled.size(); ++i) ::sigaction(kHandled[i], &all.before[i], nullptr);
  received_signal = 0;
}

int SignalGuard::received() { return received_signal; }

}  // namespace galore
