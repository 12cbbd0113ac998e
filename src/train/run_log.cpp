#include "train/run_log.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/memory.h"
#include "report/step_fields.h"

namespace galore {
namespace {

constexpr std::chrono::milliseconds kRedrawEvery{100};

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A closed terminal or a full disk behind stderr must not end a run.
void show(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

std::string describe(const StepMetrics& m) {
  return fmt::format(
      "step {}/{}  epoch {:.2f}  loss {:.4f}  {} {:.3g}  lr {:.3g}  {:.0f} tok/s  {:.0f} % of peak  mem {} "
      "(peak {}){}  left {}{}",
      m.step, m.total_steps, m.epoch, m.loss, m.norm_is_projected ? "grad_norm_projected" : "grad_norm",
      m.gradient_norm, m.learning_rate, m.tokens_per_second, 100 * m.product_rate_share,
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
    : options_(options),
      bar_(options.progress_bar && !options.hooks.take_line && is_capable_terminal(STDERR_FILENO)),
      coloured_(wants_colours(STDERR_FILENO)) {}

RunLog::~RunLog() { finish_bar(); }

// Formats that are not asked for are pruned too, because a file of an older run next to this run's would
// mislead.
void RunLog::open(int64_t resume_step) {
  const std::lock_guard lock(events_);
  if (!options_.has_files) {
    open_ = true;
    return pending_.clear();
  }
  std::filesystem::create_directories(options_.output_dir);
  const auto add = [&](std::unique_ptr<LogSink> file, bool wanted) {
    file->drop_after(resume_step);
    if (wanted) files_.push_back(std::move(file));
  };
  add(make_jsonl_sink(options_.output_dir), options_.jsonl);
  add(make_csv_sink(options_.output_dir, options_.metrics), options_.csv);
  add(make_tensorboard_sink(options_.output_dir, options_.metrics), options_.tensorboard);
  open_ = true;
  for (const LogEvent& event : pending_)
    for (const auto& file : files_) file->write(event);
  pending_.clear();
}

void RunLog::event(const std::string& name, const nlohmann::ordered_json& fields) {
  const std::lock_guard lock(events_);
  const LogEvent event{name, seconds_since_1970(), fields};
  if (options_.hooks.take_event) options_.hooks.take_event(event);
  if (!open_) return pending_.push_back(event);
  for (const auto& file : files_) file->write(event);
}

void RunLog::say(const std::string& line, Tone tone) {
  const std::lock_guard lock(terminal_);
  if (options_.hooks.take_line) return options_.hooks.take_line(line);
  if (tone == Tone::plain && line.starts_with("note: ")) tone = Tone::note;
  show((bar_length_ > 0 ? erase_bar() : "") + painted(line, tone, coloured_) + "\n");
  bar_length_ = 0;
}

void RunLog::step(const StepMetrics& metrics) {
  event("step", event_fields(metrics));
  if (options_.hooks.take_progress) options_.hooks.take_progress(metrics);
  if (bar_)
    draw(metrics);
  else
    say(describe(metrics));
}

void RunLog::progress(const StepMetrics& metrics) {
  const auto shown_just_now = [this] {
    const std::lock_guard lock(terminal_);
    return bar_length_ > 0 && std::chrono::steady_clock::now() - drawn_ < kRedrawEvery;
  };
  if (options_.hooks.take_progress) options_.hooks.take_progress(metrics);
  if (bar_ && !shown_just_now()) draw(metrics);
}

std::string format_bar(const StepMetrics& m, int columns) {
  const double share =
      m.total_steps > 0 ? static_cast<double>(m.step) / static_cast<double>(m.total_steps) : 0;
  const std::string right =
      fmt::format(" {}/{}  loss {:.4f}  {:.0f} tok/s  {:.0f} % of peak  {}  left {}", m.step, m.total_steps,
                  m.loss, m.tokens_per_second, 100 * m.product_rate_share,
                  format_bytes(static_cast<double>(m.memory_bytes)), format_duration(m.seconds_left));
  const int width = std::clamp(columns - static_cast<int>(right.size()) - 3, 0, 40);
  const int filled = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * width));
  // A terminal without room for a bar shows the numbers alone.
  std::string line = width == 0 ? right.substr(1)
                                : fmt::format("[{}{}]{}", std::string(static_cast<size_t>(filled), '#'),
                                              std::string(static_cast<size_t>(width - filled), '.'), right);
  line.resize(std::min(line.size(), static_cast<size_t>(std::max(columns - 1, 0))));
  return line;
}

// If the terminal has become narrower, the bar occupies several rows.
std::string RunLog::erase_bar() const {
  const int rows = std::max(bar_length_ - 1, 0) / terminal_columns(STDERR_FILENO);
  return rows > 0 ? fmt::format("\r\033[{}A\033[J", rows) : "\r\033[K";
}

void RunLog::draw(const StepMetrics& m) {
  const std::string bar = format_bar(m, terminal_columns(STDERR_FILENO));
  const size_t filled = bar.starts_with('[') ? bar.find_first_not_of('#', 1) : 0;
  const std::lock_guard lock(terminal_);
  show(erase_bar() + painted(bar.substr(0, filled), Tone::result, coloured_ && filled > 0) +
       bar.substr(filled));
  bar_length_ = static_cast<int>(bar.size());
  drawn_ = std::chrono::steady_clock::now();
}

void RunLog::finish_bar() {
  const std::lock_guard lock(terminal_);
  if (bar_length_ > 0) show("\n");
  bar_length_ = 0;
}

}  // namespace galore
