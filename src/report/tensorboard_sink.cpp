#include <fmt/core.h>
#include <unistd.h>

#include <limits>
#include <optional>

#include "report/event_file.h"
#include "report/log_sink.h"
#include "report/step_fields.h"

namespace galore {
namespace {

// TensorBoard reads every file with "tfevents" in its name. The end of the name marks our own files.
constexpr const char *kBegin = "events.out.tfevents.", *kEnd = ".galore";

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

std::vector<EventScalar> scalars_of_step(const LogEvent& event) {
  std::vector<EventScalar> scalars;
  for (const StepField& field : step_fields())
    if (field.tag && event.fields.contains(field.name))
      scalars.push_back({field.tag, number_of(event.fields, field.name, kMissing)});
  return scalars;
}

// Returns Hugging Face's tag: "eval_loss" becomes eval/loss.
std::string tag_of(const MetricKind& metric) {
  const std::string prefix = "eval_";
  return "eval/" + (metric.name.starts_with(prefix) ? metric.name.substr(prefix.size()) : metric.name);
}

std::vector<EventScalar> scalars_of_evaluation(const LogEvent& event,
                                               const std::vector<MetricKind>& metrics) {
  std::vector<EventScalar> scalars;
  for (const MetricKind& metric : metrics)
    if (event.fields.contains(metric.name))
      scalars.push_back({tag_of(metric), number_of(event.fields, metric.name.c_str(), kMissing)});
  return scalars;
}

// Returns the numbers of fields that are maps: {name: number} becomes prefix + field/name.
std::vector<EventScalar> scalars_of_maps(const LogEvent& event, const std::string& prefix,
                                         const std::vector<const char*>& fields) {
  std::vector<EventScalar> scalars;
  for (const char* field : fields) {
    if (!event.fields.contains(field)) continue;
    for (const auto& [name, value] : event.fields[field].items())
      scalars.push_back({prefix + field + "/" + name, value.get<double>()});
  }
  return scalars;
}

std::string table_of(const nlohmann::ordered_json& fields) {
  std::string text = "| option | value |\n|---|---|\n";
  for (const auto& [name, value] : fields.items()) {
    const std::string shown = value.is_string() ? value.get<std::string>() : value.dump();
    if (!shown.empty()) text += fmt::format("| {} | {} |\n", name, shown);
  }
  return text;
}

class TensorboardSink : public LogSink {
 public:
  TensorboardSink(const Path& folder, const std::vector<MetricKind>& metrics)
      : folder_(folder / "runs"), metrics_(metrics) {}

  void drop_after(int64_t resume_step) override {
    resume_step_ = resume_step;
    std::error_code is_absent;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, is_absent)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with(kBegin) || !name.ends_with(kEnd)) continue;
      if (resume_step < 0)
        std::filesystem::remove(entry.path());
      else
        write_file_atomically(entry.path(), records_until(read_file(entry.path()), resume_step));
    }
  }

  void write(const LogEvent& event) override {
    if (!file_) begin(event.time);
    const auto step = static_cast<int64_t>(number_of(event.fields, "step", 0));
    std::vector<EventScalar> scalars;
    if (event.name == "step") scalars = scalars_of_step(event);
    if (event.name == "eval") scalars = scalars_of_evaluation(event, metrics_);
    if (event.name == "subspace") scalars = scalars_of_maps(event, "", {"ranks", "captured_energy"});
    if (event.name == "mixture")
      scalars = scalars_of_maps(event, "mixture_", {"weights", "tokens", "epochs", "rewards"});
    if (!scalars.empty()) put(scalars_event(event.time, step, scalars));
    if (event.name == "configuration" || event.name == "memory")
      put(text_event(event.time, std::max<int64_t>(resume_step_, 0), event.name, table_of(event.fields)));
  }

 private:
  // Each session writes its own file. Sorted by name, the files are in the order of their sessions, which
  // TensorBoard relies on. A TensorBoard that has read later steps forgets them when a session begins at an
  // earlier step.
  void begin(double time) {
    std::filesystem::create_directories(folder_);
    char host[256] = "localhost";
    ::gethostname(host, sizeof host - 1);
    const auto name = fmt::format("{}{:.6f}.{}.{}{}", kBegin, time, host, ::getpid(), kEnd);
    file_.emplace(folder_ / name);
    put(version_event(time));
    if (resume_step_ >= 0) put(session_start_event(time, resume_step_ + 1));
  }

  void put(const std::string& message) { file_->append(framed_record(message)); }

  Path folder_;
  std::vector<MetricKind> metrics_;
  int64_t resume_step_ = -1;
  std::optional<AppendedFile> file_;
};

}  // namespace

std::unique_ptr<LogSink> make_tensorboard_sink(const Path& folder, const std::vector<MetricKind>& metrics) {
  return std::make_unique<TensorboardSink>(folder, metrics);
}

}  // namespace galore
