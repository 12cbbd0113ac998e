#include "train/signals.h"

#include <csignal>

namespace galore {
namespace {

volatile std::sig_atomic_t received_signal = 0;

void remember(int signal) { received_signal = signal; }

}  // namespace

SignalGuard::SignalGuard() {
  received_signal = 0;
  struct sigaction action {};
  action.sa_handler = remember;
  action.sa_flags =
      static_cast<int>(static_cast<unsigned int>(SA_RESETHAND) | static_cast<unsigned int>(SA_RESTART));
  ::sigaction(SIGINT, &action, &interrupt_);
  ::sigaction(SIGTERM, &action, &terminate_);
}

SignalGuard::~SignalGuard() {
  ::sigaction(SIGINT, &interrupt_, nullptr);
  ::sigaction(SIGTERM, &terminate_, nullptr);
  received_signal = 0;
}

int SignalGuard::received() { return received_signal; }

}  // namespace galore
