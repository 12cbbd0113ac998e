#include "train/run_log.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "core/errors.h"
#include "core/memory.h"

namespace galore {
namespace {

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::FILE* open_for_append(const Path& path) {
  std::FILE* file = std::fopen(path.c_str(), "a");
  if (!file) fail("log", "cannot open {} for writing", path.string());
  return file;
}

// Keeps the events up to `step`; a line that a kill left incomplete is dropped.
void keep_events_until(const Path& path, int64_t step) {
  if (!std::filesystem::exists(path)) return;
  std::ifstream file(path);
  std::string line, kept;
  while (std::getline(file, line)) {
    const auto event = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (event.is_discarded() || (event.contains("step") && event["step"] > step)) continue;
    kept += line + "\n";
  }
  write_file_atomically(path, kept);
}

int terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

// JSON has no infinity: numbers that are not finite become null.
nlohmann::ordered_json finite(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

std::string describe(const StepMetrics& m) {
  return fmt::format(
      "step {}/{}  epoch {:.2f}  loss {:.4f}  {} {:.3g}  lr {:.3g}  {:.0f} tok/s  {:.0f} % of peak  mem {} "
      "(peak {})  left {}",
      m.step, m.total_steps, m.epoch, m.loss, m.norm_is_projected ? "grad_norm_projected" : "grad_norm",
      m.gradient_norm, m.learning_rate, m.tokens_per_second, 100 * m.peak_share,
      format_bytes(static_cast<double>(m.memory_bytes)),
      format_bytes(static_cast<double>(m.peak_memory_bytes)), format_duration(m.seconds_left));
}

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::clamp(seconds, 0.0, 1e9));
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{:02}:{:02}", whole / 60, whole % 60);
}

RunLog::RunLog(const LogOptions& options)
    : options_(options), bar_(options.progress_bar && ::isatty(STDERR_FILENO)) {
  std::filesystem::create_directories(options.output_dir);
  const Path jsonl = options.output_dir / "metrics.jsonl", csv = options.output_dir / "metrics.csv";
  if (options.resume_step >= 0) {
    keep_events_until(jsonl, options.resume_step);
  } else {
    std::filesystem::remove(jsonl);
    std::filesystem::remove(csv);
  }
  if (options.jsonl) jsonl_ = open_for_append(jsonl);
  if (options.csv) csv_ = open_for_append(csv);
  if (csv_ && std::ftell(csv_) == 0)
    fmt::print(csv_,
               "step,epoch,loss,grad_norm,learning_rate,tokens_per_second,peak_share,memory_bytes,peak_"
               "memory_bytes\n");
}

RunLog::~RunLog() {
  finish_bar();
  if (jsonl_) std::fclose(jsonl_);
  if (csv_) std::fclose(csv_);
}

void RunLog::event(const std::string& name, nlohmann::ordered_json fields) {
  if (!jsonl_) return;
  nlohmann::ordered_json line{{"event", name}, {"time", seconds_since_1970()}};
  line.update(fields);
  fmt::print(jsonl_, "{}\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  std::fflush(jsonl_);
}

void RunLog::say(const std::string& line) {
  if (bar_visible_) fmt::print(stderr, "\r\033[K");
  bar_visible_ = false;
  fmt::print(stderr, "{}\n", line);
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
                 {"clip_factor", m.clip_factor}});
  event("step", fields);
  if (csv_) append_csv(m);
  bar_ ? draw(m) : say(describe(m));
}

void RunLog::append_csv(const StepMetrics& m) {
  fmt::print(csv_, "{},{},{},{},{},{},{},{},{}\n", m.step, m.epoch, m.loss, m.gradient_norm, m.learning_rate,
             m.tokens_per_second, m.peak_share, m.memory_bytes, m.peak_memory_bytes);
  std::fflush(csv_);
}

void RunLog::progress(const StepMetrics& metrics) {
  if (bar_) draw(metrics);
}

void RunLog::draw(const StepMetrics& m) {
  const double share =
      m.total_steps > 0 ? static_cast<double>(m.step) / static_cast<double>(m.total_steps) : 0;
  const std::string right =
      fmt::format(" {}/{}  loss {:.4f}  {:.0f} tok/s  {:.0f} % of peak  {}  left {}", m.step, m.total_steps,
                  m.loss, m.tokens_per_second, 100 * m.peak_share,
                  format_bytes(static_cast<double>(m.memory_bytes)), format_duration(m.seconds_left));
  const int width = std::clamp(terminal_width() - static_cast<int>(right.size()) - 3, 0, 40);
  const int filled = static_cast<int>(std::lround(share * width));
  std::string line = fmt::format("[{}{}]{}", std::string(static_cast<size_t>(filled), '#'),
                                 std::string(static_cast<size_t>(width - filled), '.'), right);
  line.resize(
      std::min(line.size(), static_cast<size_t>(terminal_width() - 1)));  // a wrapped bar cannot be redrawn
  fmt::print(stderr, "\r\033[K{}", line);
  std::fflush(stderr);
  bar_visible_ = true;
}

void RunLog::finish_bar() {
  if (bar_visible_) fmt::print(stderr, "\n");
  bar_visible_ = false;
}

}  // namespace galore
