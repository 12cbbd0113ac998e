// SIGINT and SIGTERM ask a run to save and stop; a second one ends the program at once.
#pragma once

#include <csignal>

namespace galore {

class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  // The number of the signal that came, or 0; 0 where there is no guard.
  static int received();

 private:
  struct sigaction interrupt_, terminate_;
};

}  // namespace galore
