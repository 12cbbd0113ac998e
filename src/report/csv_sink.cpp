#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "report/log_sink.h"
#include "report/step_fields.h"

namespace galore {
namespace {

// Formats a field: integers stay integers, null (a number that is not finite) becomes nan, and a missing
// field is empty.
std::string cell(const nlohmann::ordered_json& fields, const std::string& name) {
  const auto found = fields.find(name);
  if (found == fields.end()) return "";
  if (found->is_number_integer()) return std::to_string(found->get<int64_t>());
  return found->is_number() ? fmt::format("{}", found->get<double>()) : "nan";
}

class CsvSink : public LogSink {
 public:
  CsvSink(const Path& folder, const std::vector<MetricKind>& metrics) : path_(folder / "metrics.csv") {
    for (const StepField& field : step_fields())
      if (field.is_column) columns_.emplace_back(field.name);
    for (const MetricKind& metric : metrics) columns_.push_back(metric.name);
  }

  void drop_after(int64_t resume_step) override {
    drop_lines(path_, resume_step, [this](const std::string& line, int64_t step) {
      return line + "\n" == header() || is_row_until(line, step);
    });
  }

  void write(const LogEvent& event) override {
    if (event.name != "step" && event.name != "eval") return;
    if (!file_) begin();
    std::string row;
    for (const std::string& name : columns_) row += cell(event.fields, name) + ",";
    row.back() = '\n';
    file_->append(row);
  }

 private:
  std::string header() const { return fmt::format("{}\n", fmt::join(columns_, ",")); }

  // Returns true for a complete row of a step up to `step`. Rows start with the step.
  bool is_row_until(const std::string& line, int64_t step) const {
    int64_t row_step = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), row_step);
    const auto commas = std::count(line.begin(), line.end(), ',');
    return error == std::errc() && *end == ',' && row_step <= step && commas == std::ssize(columns_) - 1;
  }

  void begin() {
    file_.emplace(path_);
    std::error_code ignored;
    if (std::filesystem::file_size(path_, ignored) == 0) file_->append(header());
  }

  Path path_;
  std::vector<std::string> columns_;  // names of event fields
  std::optional<AppendedFile> file_;
};

}  // namespace

std::unique_ptr<LogSink> make_csv_sink(const Path& folder, const std::vector<MetricKind>& metrics) {
  return std::make_unique<CsvSink>(folder, metrics);
}

}  // namespace galore
