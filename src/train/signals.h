// SIGINT and SIGTERM ask a run to save and stop. A second signal ends the program at once.
#pragma once

namespace galore {

// Handles both signals while at least one guard exists. If several runs of a process have guards, a signal
// stops all of them, and the last guard restores the earlier handlers.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  // Returns the number of the signal that has arrived, or 0 when there was none or no guard exists.
  static int received();
};

}  // namespace galore
