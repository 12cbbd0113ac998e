#include "train/signals.h"

#include <csignal>

namespace galore {
namespace {

volatile std::sig_atomic_t received_signal = 0;

void remember(int signal) { received_signal = signal; }

void install(void (*handler)(int), unsigned int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(flags);
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

}  // namespace

SignalGuard::SignalGuard() {
  received_signal = 0;
  install(remember, static_cast<unsigned int>(SA_RESETHAND) | static_cast<unsigned int>(SA_RESTART));
}

SignalGuard::~SignalGuard() { install(SIG_DFL, 0); }

int SignalGuard::received() { return received_signal; }

}  // namespace galore
