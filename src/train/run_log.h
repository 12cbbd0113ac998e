// The log of a run. Events go into files (report/log_sink.h), and lines or a progress bar are shown to
// people.
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
#include "report/terminal.h"
#include "train/run_hooks.h"

namespace galore {

struct LogOptions {
  Path output_dir;
  bool jsonl = true, csv = false, progress_bar = true, tensorboard = false;
  RunHooks hooks = {};  // take_line receives the lines instead of stderr, and no bar is drawn
  std::vector<MetricKind> metrics = {};  // metrics of evaluations
  bool has_files = true;                 // false: the files of another process are left alone
};

class RunLog {
 public:
  explicit RunLog(const LogOptions& options);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  // Opens the files. Earlier events wait in memory, so that a run which is refused leaves an older log
  // unchanged. Events of steps above `resume_step` belong to an interrupted run and are dropped. A negative
  // `resume_step` begins a new log.
  void open(int64_t resume_step);
  // Writes an event with its time into all files that the options ask for. Any thread may call it.
  void event(const std::string& name, const nlohmann::ordered_json& fields);
  // Writes a line for people to stderr, or gives it to take_line. A line that begins with "note: " is shown
  // in the colour of notes. Any thread may call it.
  void say(const std::string& line, Tone tone = Tone::plain);
  void step(const StepMetrics& metrics);
  // Moves the bar between logged steps, at most ten times a second, and tells take_progress of every step.
  void progress(const StepMetrics& metrics);
  void finish_bar();

 private:
  void draw(const StepMetrics& metrics);
  std::string erase_bar() const;

  LogOptions options_;
  std::mutex events_;  // guards open_, pending_ and files_
  bool open_ = false;
  std::vector<LogEvent> pending_;                // until the files are open
  std::vector<std::unique_ptr<LogSink>> files_;  // one sink per format that the options ask for
  const bool bar_, coloured_;
  std::mutex terminal_;  // guards the terminal, or take_line, and the members below
  int bar_length_ = 0;   // length as drawn; 0: there is none
  std::chrono::steady_clock::time_point drawn_;
};

// The progress bar for a terminal with `columns` columns. It is at least one column shorter, because a bar
// that wraps cannot be redrawn.
std::string format_bar(const StepMetrics& metrics, int columns);

// Returns "1:02:03" or "02:03".
std::string format_duration(double seconds);

}  // namespace galore
