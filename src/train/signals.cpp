#include "train/signals.h"

#include <csignal>
#include <mutex>

namespace galore {
namespace {

volatile std::sig_atomic_t received_signal = 0;

void remember(int signal) { received_signal = signal; }

// The handlers of both signals before the first guard.
struct Guarded {
  std::mutex lock;
  int guards = 0;
  struct sigaction interrupt {
  }, terminate{};
};

Guarded& guarded() {
  static Guarded all;
  return all;
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
  ::sigaction(SIGINT, &action, &all.interrupt);
  ::sigaction(SIGTERM, &action, &all.terminate);
}

SignalGuard::~SignalGuard() {
  Guarded& all = guarded();
  const std::lock_guard lock(all.lock);
  if (--all.guards > 0) return;
  ::sigaction(SIGINT, &all.interrupt, nullptr);
  ::sigaction(SIGTERM, &all.terminate, nullptr);
  received_signal = 0;
}

int SignalGuard::received() { return received_signal; }

}  // namespace galore
