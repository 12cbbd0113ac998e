// Where a run reports to, and who may stop it, if that is not a terminal with its signals.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "report/log_sink.h"
#include "report/step_metrics.h"

namespace galore {

// Takes a line for people, without its line end. The functions of this file may be called from any thread,
// but each only by one at a time. They must not call the run that calls them.
using TakeLine = std::function<void(const std::string&)>;
// Takes an event of the log as it happens, whichever files the options ask for.
using TakeEvent = std::function<void(const LogEvent&)>;
// Takes the metrics of every update, also of those that are not logged.
using TakeProgress = std::function<void(const StepMetrics&)>;

struct RunHooks {
  TakeLine take_line = {};  // null: lines, or a progress bar, go to stderr
  TakeEvent take_event = {};
  TakeProgress take_progress = {};
  // A number other than 0 asks run() to save a checkpoint and to end, as a signal of this number does. Then
  // no signal handler is installed. Null: signals ask for an end (signals.h).
  const std::atomic<int>* stop = nullptr;
};

}  // namespace galore
