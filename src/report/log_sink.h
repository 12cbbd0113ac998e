// Where a run's events go: files of several formats, which all are made from the same events.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/files.h"

namespace galore {

// One event of a run: "configuration", "memory", "step", "eval", "subspace", "checkpoint", "end" and others.
// What belongs to an update has a field "step".
struct LogEvent {
  std::string name;
  double time = 0;  // seconds since 1970
  nlohmann::ordered_json fields;
};

// The number of this name; `missing` where there is none (null stands for one that is not finite).
double number_of(const nlohmann::ordered_json& fields, const char* name, double missing);

class LogSink {
 public:
  virtual ~LogSink() = default;
  // Before the first event: drops what an interrupted run wrote about steps above `resume_step`; below 0
  // everything, for a new run.
  virtual void drop_after(int64_t resume_step) = 0;
  // Creates the file if need be. A write that fails is an Error that names it.
  virtual void write(const LogEvent& event) = 0;
};

// <folder>/metrics.jsonl: one line an event, {"event": name, "time": seconds since 1970, ...fields}.
std::unique_ptr<LogSink> make_jsonl_sink(const Path& folder);
// <folder>/metrics.csv: a row for each logged update and for each evaluation; what it lacks is empty.
std::unique_ptr<LogSink> make_csv_sink(const Path& folder);
// <folder>/runs/events.out.tfevents.*.galore: what TensorBoard reads (event_file.h).
std::unique_ptr<LogSink> make_tensorboard_sink(const Path& folder);

// A file that grows by whole pieces.
class AppendedFile {
 public:
  explicit AppendedFile(Path path);
  ~AppendedFile();
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;

  // Written and handed to the system, or an Error.
  void append(const std::string& bytes);

 private:
  Path path_;
  std::FILE* file_ = nullptr;
};

// Rewrites `path`, if it is there, with the lines that `keep(line, step)` accepts; one that a kill left
// incomplete is dropped. With a step below 0 the file is removed.
void drop_lines(const Path& path, int64_t step, bool (*keep)(const std::string&, int64_t));

}  // namespace galore
