// SIGINT and SIGTERM ask a run to save and stop. A second signal ends the program at once.
#pragma once

namespace galore {

// Takes both signals over while one exists. Where several runs of a process have one, all of them stop, and
// the last one gives the signals back.
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
