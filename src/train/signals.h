// Signals that ask a run to save and stop: SIGINT and SIGTERM, SIGHUP of a closed terminal, SIGUSR1, SIGUSR2
// and SIGXCPU of batch systems. The same signal a second time ends the program at once.
#pragma once

namespace galore {

// Handles these signals while at least one guard exists. A process that ignores SIGHUP (nohup), SIGUSR1,
// SIGUSR2 or SIGXCPU goes on ignoring it. If several runs of a process have guards, a signal stops all of
// them, and the last guard restores the earlier handlers.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  // Returns the number of the first signal that has arrived, or 0 when there was none or no guard exists.
  static int received();
};

}  // namespace galore
