// SIGINT and SIGTERM ask a run to save and stop. A second signal ends the program at once.
#pragma once

#include <csignal>

namespace galore {

class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  // Returns the number of the signal that has arrived, or 0 when there was none or no guard exists.
  static int received();

 private:
  struct sigaction interrupt_, terminate_;
};

}  // namespace galore
