// What a run says: events into files (report/log_sink.h), and lines or a progress bar for people.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/metric.h"
#include "report/log_sink.h"
#include "report/step_metrics.h"
#include "report/terminal.h"

namespace galore {

// Takes a line for people, without its line end. It is called from any thread, but from one at a time; it
// must not call the run that logs.
using TakeLine = std::function<void(const std::string&)>;

struct LogOptions {
  Path output_dir;
  bool jsonl = true, csv = false, progress_bar = true, tensorboard = false;
  TakeLine take_line = {};               // gets the lines, and there is no bar; null: they go to stderr
  std::vector<MetricKind> metrics = {};  // of evaluations
};

class RunLog {
 public:
  explicit RunLog(const LogOptions& options);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  // Opens the files; events until then are kept in memory, so that a run which is refused leaves an older log
  // as it was. Events of steps above `resume_step` belong to a run that was interrupted: they are dropped.
  // Below 0: a new log.
  void open(int64_t resume_step);
  // Into all files of the options (report/log_sink.h), with the time. From any thread.
  void event(const std::string& name, const nlohmann::ordered_json& fields);
  // A line for people, on stderr or into take_line; one that begins with "note: " has its tone. From any
  // thread.
  void say(const std::string& line, Tone tone = Tone::plain);
  void step(const StepMetrics& metrics);
  // Between logged steps: only moves the bar, ten times a second at most.
  void progress(const StepMetrics& metrics);
  void finish_bar();

 private:
  void draw(const StepMetrics& metrics);
  std::string erase_bar() const;

  LogOptions options_;
  std::mutex events_;  // guards open_, pending_ and files_
  bool open_ = false;
  std::vector<LogEvent> pending_;                // until the files are open
  std::vector<std::unique_ptr<LogSink>> files_;  // those that are wanted
  const bool bar_, coloured_;
  std::mutex terminal_;  // guards the terminal, or take_line, and the members below
  int bar_length_ = 0;   // as drawn; 0: there is none
  std::chrono::steady_clock::time_point drawn_;
};

// `metrics` as the bar of a terminal of so many columns: at least one less, for a bar that wraps cannot be
// redrawn.
std::string format_bar(const StepMetrics& metrics, int columns);

// "1:02:03" or "02:03".
std::string format_duration(double seconds);

}  // namespace galore
