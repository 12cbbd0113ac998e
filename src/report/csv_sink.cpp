#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "report/log_sink.h"

namespace galore {
namespace {

// The columns in the order of the file. Events have fields with these names.
constexpr const char* kColumns[] = {"step",
                                    "epoch",
                                    "loss",
                                    "grad_norm",
                                    "grad_norm_projected",
                                    "learning_rate",
                                    "tokens_per_second",
                                    "peak_share",
                                    "memory_bytes",
                                    "peak_memory_bytes",
                                    "tokens_seen",
                                    "optimizer_seconds",
                                    "refresh_seconds",
                                    "data_seconds",
                                    "skipped_updates",
                                    "mean_rank",
                                    "eval_loss",
                                    "perplexity",
                                    "eval_loss_family"};

std::string header() {
  std::string text;
  for (const char* name : kColumns) text += (text.empty() ? "" : ",") + std::string(name);
  return text + "\n";
}

// Formats a field: integers stay integers, null (a number that is not finite) becomes nan, and a missing
// field is empty.
std::string cell(const nlohmann::ordered_json& fields, const char* name) {
  const auto found = fields.find(name);
  if (found == fields.end()) return "";
  if (found->is_number_integer()) return std::to_string(found->get<int64_t>());
  return found->is_number() ? fmt::format("{}", found->get<double>()) : "nan";
}

// Returns true for the header and for complete rows of steps up to `step`.
bool is_row_until(const std::string& line, int64_t step) {
  if (line + "\n" == header()) return true;
  int64_t row_step = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), row_step);
  const auto commas = std::count(line.begin(), line.end(), ',');
  return error == std::errc() && *end == ',' && row_step <= step && commas == std::ssize(kColumns) - 1;
}

class CsvSink : public LogSink {
 public:
  explicit CsvSink(const Path& folder) : path_(folder / "metrics.csv") {}

  void drop_after(int64_t resume_step) override { drop_lines(path_, resume_step, is_row_until); }

  void write(const LogEvent& event) override {
    if (event.name != "step" && event.name != "eval") return;
    if (!file_) begin();
    std::string row;
    for (const char* name : kColumns) row += cell(event.fields, name) + ",";
    row.back() = '\n';
    file_->append(row);
  }

 private:
  void begin() {
    file_.emplace(path_);
    std::error_code ignored;
    if (std::filesystem::file_size(path_, ignored) == 0) file_->append(header());
  }

  Path path_;
  std::optional<AppendedFile> file_;
};

}  // namespace

std::unique_ptr<LogSink> make_csv_sink(const Path& folder) { return std::make_unique<CsvSink>(folder); }

}  // namespace galore
