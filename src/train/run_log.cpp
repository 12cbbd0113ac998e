#include "train/run_log.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>

#include "core/errors.h"
#include "core/memory.h"

namespace galore {
namespace {

constexpr const char *kJsonlName = "metrics.jsonl", *kCsvName = "metrics.csv";
constexpr const char* kCsvHeader =
    "step,epoch,loss,grad_norm,learning_rate,tokens_per_second,peak_share,memory_bytes,peak_memory_bytes\n";
constexpr std::ptrdiff_t kCsvCommas = 8;

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A terminal that is gone or a full disk behind stderr must not end a run.
void show(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

std::FILE* open_for_append(const Path& path) {
  std::FILE* file = std::fopen(path.c_str(), "a");
  if (!file) fail("log", "cannot open {} for writing", path.string());
  return file;
}

bool is_event_until(const std::string& line, int64_t step) {
  const auto event = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object()) return false;
  const auto found = event.find("step");
  return found == event.end() || !found->is_number() || found->get<double>() <= static_cast<double>(step);
}

// Rows begin with the step; the first line is the header.
bool is_row_until(const std::string& line, int64_t step) {
  if (line + "\n" == kCsvHeader) return true;
  int64_t row_step = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), row_step);
  const auto commas = std::count(line.begin(), line.end(), ',');
  return error == std::errc() && *end == ',' && row_step <= step && commas == kCsvCommas;
}

// Keeps the lines that `keep` accepts; one that a kill left incomplete is dropped.
void keep_lines(const Path& path, int64_t step, bool (*keep)(const std::string&, int64_t)) {
  if (!std::filesystem::exists(path)) return;
  std::ifstream file(path);
  std::string line, kept;
  while (std::getline(file, line))
    if (!file.eof() && keep(line, step)) kept += line + "\n";
  write_file_atomically(path, kept);
}

int terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// JSON has no infinity: numbers that are not finite become null.
nlohmann::ordered_json finite(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

std::string describe(const StepMetrics& m) {
  return fmt::format(
      "step {}/{}  epoch {:.2f}  loss {:.4f}  {} {:.3g}  lr {:.3g}  {:.0f} tok/s  {:.0f} % of peak  mem {} "
      "(peak {}){}  left {}{}",
      m.step, m.total_steps, m.epoch, m.loss, m.norm_is_projected ? "grad_norm_projected" : "grad_norm",
      m.gradient_norm, m.learning_rate, m.tokens_per_second, 100 * m.peak_share,
      format_bytes(static_cast<double>(m.memory_bytes)),
      format_bytes(static_cast<double>(m.peak_memory_bytes)),
      m.mean_rank > 0 ? fmt::format("  rank {:.1f}", m.mean_rank) : "", format_duration(m.seconds_left),
      m.skipped_updates > 0 ? fmt::format("  skipped {}", m.skipped_updates) : "");
}

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::clamp(seconds, 0.0, 1e9));
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{:02}:{:02}", whole / 60, whole % 60);
}

RunLog::RunLog(const LogOptions& options)
    : options_(options), bar_(options.progress_bar && ::isatty(STDERR_FILENO)) {}

void RunLog::open(int64_t resume_step) {
  std::filesystem::create_directories(options_.output_dir);
  const Path jsonl = options_.output_dir / kJsonlName, csv = options_.output_dir / kCsvName;
  if (resume_step >= 0) {
    keep_lines(jsonl, resume_step, is_event_until);
    keep_lines(csv, resume_step, is_row_until);
  } else {
    std::filesystem::remove(jsonl);
    std::filesystem::remove(csv);
  }
  if (options_.jsonl) jsonl_ = open_for_append(jsonl);
  if (options_.csv) csv_ = open_for_append(csv);
  if (jsonl_ && !pending_.empty()) append(jsonl_, kJsonlName, pending_);
  pending_.clear();
  std::error_code ignored;
  if (csv_ && std::filesystem::file_size(csv, ignored) == 0) append(csv_, kCsvName, kCsvHeader);
}

void RunLog::append(std::FILE* file, const char* name, const std::string& line) {
  if (std::fputs(line.c_str(), file) >= 0 && std::fflush(file) == 0) return;
  const std::string reason = std::strerror(errno);
  fail("log", "cannot write {}: {}", (options_.output_dir / name).string(), reason);
}

RunLog::~RunLog() {
  finish_bar();
  if (jsonl_) std::fclose(jsonl_);
  if (csv_) std::fclose(csv_);
}

void RunLog::event(const std::string& name, const nlohmann::ordered_json& fields) {
  if (!options_.jsonl) return;
  nlohmann::ordered_json line{{"event", name}, {"time", seconds_since_1970()}};
  if (!fields.is_null()) line.update(fields);
  const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  jsonl_ ? append(jsonl_, kJsonlName, text) : void(pending_ += text);
}

void RunLog::say(const std::string& line) {
  if (bar_visible_) show("\r\033[K");
  bar_visible_ = false;
  show(line + "\n");
}

void RunLog::step(const StepMetrics& m) {
  nlohmann::ordered_json fields{
      {"step", m.step}, {"total_steps", m.total_steps}, {"epoch", m.epoch}, {"loss", finite(m.loss)}};
  fields[m.norm_is_projected ? "grad_norm_projected" : "grad_norm"] = finite(m.gradient_norm);
  fields.update({{"learning_rate", m.learning_rate},
                 {"tokens_per_second", m.tokens_per_second},
                 {"peak_share", m.peak_share},
                 {"memory_bytes", m.memory_bytes},
                 {"peak_memory_bytes", m.peak_memory_bytes},
                 {"tokens_seen", m.tokens_seen},
                 {"seconds_left", m.seconds_left},
                 {"optimizer_seconds", m.optimizer_seconds},
                 {"refresh_seconds", m.refresh_seconds},
                 {"clip_factor", m.clip_factor},
                 {"skipped_updates", m.skipped_updates}});
  if (m.mean_rank > 0) fields["mean_rank"] = m.mean_rank;
  event("step", fields);
  if (csv_) append_csv(m);
  bar_ ? draw(m) : say(describe(m));
}

void RunLog::append_csv(const StepMetrics& m) {
  append(
      csv_, kCsvName,
      fmt::format("{},{},{},{},{},{},{},{},{}\n", m.step, m.epoch, m.loss, m.gradient_norm, m.learning_rate,
                  m.tokens_per_second, m.peak_share, m.memory_bytes, m.peak_memory_bytes));
}

void RunLog::progress(const StepMetrics& metrics) {
  if (bar_) draw(metrics);
}

std::string format_bar(const StepMetrics& m, int columns) {
  const double share =
      m.total_steps > 0 ? static_cast<double>(m.step) / static_cast<double>(m.total_steps) : 0;
  const std::string right =
      fmt::format(" {}/{}  loss {:.4f}  {:.0f} tok/s  {:.0f} % of peak  {}  left {}", m.step, m.total_steps,
                  m.loss, m.tokens_per_second, 100 * m.peak_share,
                  format_bytes(static_cast<double>(m.memory_bytes)), format_duration(m.seconds_left));
  const int width = std::clamp(columns - static_cast<int>(right.size()) - 3, 0, 40);
  const int filled = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * width));
  // Where there is no room for a bar, the numbers have it all.
  std::string line = width == 0 ? right.substr(1)
                                : fmt::format("[{}{}]{}", std::string(static_cast<size_t>(filled), '#'),
                                              std::string(static_cast<size_t>(width - filled), '.'), right);
  line.resize(std::min(line.size(), static_cast<size_t>(std::max(columns - 1, 0))));
  return line;
}

void RunLog::draw(const StepMetrics& m) {
  show("\r\033[K" + format_bar(m, terminal_width()));
  bar_visible_ = true;
}

void RunLog::finish_bar() {
  if (bar_visible_) show("\n");
  bar_visible_ = false;
}

}  // namespace galore
