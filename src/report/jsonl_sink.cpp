#include <optional>

#include "report/log_sink.h"

namespace galore {
namespace {

bool is_event_until(const std::string& line, int64_t step) {
  const auto event = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object()) return false;
  const auto found = event.find("step");
  return found == event.end() || !found->is_number() || found->get<double>() <= static_cast<double>(step);
}

class JsonlSink : public LogSink {
 public:
  explicit JsonlSink(const Path& folder) : path_(folder / "metrics.jsonl") {}

  void drop_after(int64_t resume_step) override { drop_lines(path_, resume_step, is_event_until); }

  void write(const LogEvent& event) override {
    if (!file_) file_.emplace(path_);
    nlohmann::ordered_json line{{"event", event.name}, {"time", event.time}};
    if (!event.fields.is_null()) line.update(event.fields);
    file_->append(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }

 private:
  Path path_;
  std::optional<AppendedFile> file_;
};

}  // namespace

std::unique_ptr<LogSink> make_jsonl_sink(const Path& folder) { return std::make_unique<JsonlSink>(folder); }

}  // namespace galore
