// Sinks write the events of a run to files. Every format is made from the same events.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/metric.h"

namespace galore {

// One event of a run: "configuration", "memory", "step", "eval", "subspace", "checkpoint", "end" and others.
// Events that belong to an update have a field "step".
struct LogEvent {
  std::string name;
  double time = 0;  // seconds since 1970
  nlohmann::ordered_json fields;
};

// Returns the number with this name, or `missing` when the field is absent or null. Null stands for a number
// that is not finite.
double number_of(const nlohmann::ordered_json& fields, const char* name, double missing);

class LogSink {
 public:
  virtual ~LogSink() = default;
  // Prepares the file before the first event. Drops the lines of steps above `resume_step`, which an
  // interrupted run has left; a negative step drops everything, for a new run.
  virtual void drop_after(int64_t resume_step) = 0;
  // Writes one event and creates the file if necessary. A write that fails is an Error that names the file.
  virtual void write(const LogEvent& event) = 0;
};

// Writes <folder>/metrics.jsonl with one line for each event: {"event": name, "time": seconds since 1970,
// ...fields}.
std::unique_ptr<LogSink> make_jsonl_sink(const Path& folder);
// Writes <folder>/metrics.csv with one row for each logged update and each evaluation. Missing values are
// empty. The columns of `metrics` come last.
std::unique_ptr<LogSink> make_csv_sink(const Path& folder, const std::vector<MetricKind>& metrics);
// Writes <folder>/runs/events.out.tfevents.*.galore, which TensorBoard reads (event_file.h).
std::unique_ptr<LogSink> make_tensorboard_sink(const Path& folder, const std::vector<MetricKind>& metrics);

// A file to which whole lines or frames are appended.
class AppendedFile {
 public:
  explicit AppendedFile(Path path);
  ~AppendedFile();
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;

  // Writes the bytes and passes them to the system; a failure is an Error.
  void append(const std::string& bytes);

 private:
  Path path_;
  std::FILE* file_ = nullptr;
};

// Rewrites `path`, if it exists, with the lines that `keep(line, step)` accepts. A last line without a line
// end, which a killed program may leave, is dropped. A negative step removes the file.
void drop_lines(const Path& path, int64_t step, const std::function<bool(const std::string&, int64_t)>& keep);

}  // namespace galore
