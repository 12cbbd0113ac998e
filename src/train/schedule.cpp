#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

constexpr const char* kWhere = "lr_scheduler_kwargs";

}  // namespace

const std::vector<std::string>& schedule_names() {
  static const std::vector<std::string> names{"linear",
                                              "cosine",
                                              "cosine_with_min_lr",
                                              "cosine_with_restarts",
                                              "jagged_cosine",
                                              "constant",
                                              "constant_with_warmup",
                                              "polynomial",
                                              "inverse_sqrt",
                                              "warmup_stable_decay"};
  return names;
}

int64_t steps_of(double count, int64_t max_steps) {
  return static_cast<int64_t>(
      std::ceil(count > 0 && count < 1 ? count * static_cast<double>(max_steps) : count));
}

Schedule::Schedule(const ScheduleOptions& options)
    : options_(options), warmup_(steps_of(options.warmup_steps, options.max_steps)) {
  const std::string& type = options.lr_scheduler_type;
  num_decay_steps_ = std::max<int64_t>(1, options.max_steps / 10);
  timescale_ = warmup_ > 0 ? warmup_ : 10000;
  if (type == "cosine_with_restarts") num_cycles_ = 1;
  if (type == "jagged_cosine") min_rate_ = 0.1;
  OptionTable table;
  double min_lr = 0;
  declare(table, min_lr);
  if (!options.lr_scheduler_kwargs.empty() && table.options().empty())
    fail_usage(kWhere, "the schedule '{}' takes none, given '{}'", type, options.lr_scheduler_kwargs);
  table.set_list(kWhere, options.lr_scheduler_kwargs);
  if (type == "cosine_with_min_lr") {
    if (table.was_set("min_lr") == table.was_set("min_lr_rate"))
      fail_usage(kWhere, "cosine_with_min_lr: expected either min_lr_rate or min_lr, given '{}'",
                 options.lr_scheduler_kwargs);
    if (table.was_set("min_lr")) min_rate_ = share_of_peak("min_lr", min_lr);
  }
  if (type == "jagged_cosine") check_cycles(table);
  if (type == "polynomial") end_rate_ = share_of_peak("lr_end", lr_end_);
}

void Schedule::declare(OptionTable& table, double& min_lr) {
  const std::string& type = options_.lr_scheduler_type;
  const auto& names = schedule_names();
  if (std::find(names.begin(), names.end(), type) == names.end())
    fail_usage("lr_scheduler_type", "unknown schedule '{}'; the nearest known one is '{}'", type,
               nearest_name(type, names));
  if (type.starts_with("cosine")) table.add("num_cycles", &num_cycles_, "").range(0, 1e9);
  if (type == "cosine_with_min_lr") {
    table.add("min_lr_rate", &min_rate_, "").range(0, 1).alias("min_lr_ratio");
    table.add("min_lr", &min_lr, "").range(0, 1e9);
  }
  if (type == "jagged_cosine") {
    table.add("cycle_length", &cycle_, "").range(1, 1e15);
    table.add("restart_warmup_steps", &restart_warmup_, "").range(0, 1e15);
    table.add("min_lr_rate", &min_rate_, "").range(0, 1).alias("min_lr_ratio");
    table.add("adjust_step", &adjust_, "").range(0, 1e15);
  }
  if (type == "polynomial") {
    table.add("lr_end", &lr_end_, "").range(0, 1e9);
    table.add("power", &power_, "").range(0, 1e9);
  }
  if (type == "inverse_sqrt") table.add("timescale", &timescale_, "").range(1, 1e15);
  if (type == "warmup_stable_decay") {
    table.add("num_decay_steps", &num_decay_steps_, "").range(1, 1e15);
    table.add("min_lr_ratio", &min_rate_, "").range(0, 1);
    table.add("decay_type", &decay_type_, "").choices({"linear", "cosine", "1-sqrt"});
    table.add("num_cycles", &num_cycles_, "").range(0, 1e9);
  }
}

void Schedule::check_cycles(OptionTable& table) const {
  const std::string given = options_.lr_scheduler_kwargs;
  if (!table.was_set("cycle_length"))
    fail_usage(kWhere, "jagged_cosine: expected cycle_length, given '{}'", given);
  if (restart_warmup_ >= cycle_)
    fail_usage(kWhere, "jagged_cosine: expected restart_warmup_steps below cycle_length, given '{}'", given);
  if (options_.max_steps < 0) return;
  if (options_.max_steps % cycle_ != 0 || adjust_ + warmup_ > cycle_)
    fail_usage(
        kWhere,
        "jagged_cosine: expected a cycle_length of which max_steps={} is a multiple, and which is at least "
        "adjust_step + warmup_steps, given '{}'",
        options_.max_steps, given);
}

double Schedule::share_of_peak(const char* name, double rate) const {
  if (options_.learning_rate <= 0) return 0;
  if (rate > options_.learning_rate)
    fail_usage(kWhere, "{}: expected at most learning_rate={}, given {}", name, options_.learning_rate, rate);
  return rate / options_.learning_rate;
}

double Schedule::rate(int64_t update) const {
  const bool warms_up = options_.lr_scheduler_type != "constant";
  if (warms_up && update < warmup_) {
    const double share = static_cast<double>(update) / static_cast<double>(warmup_);
    const double begin =
        options_.lr_scheduler_type == "warmup_stable_decay" ? min_rate_ : 0;  // as in transformers
    return options_.learning_rate * (begin + (1 - begin) * share);
  }
  return options_.learning_rate * after_warmup(update);
}

double Schedule::after_warmup(int64_t update) const {
  const std::string& type = options_.lr_scheduler_type;
  if (type == "constant" || type == "constant_with_warmup") return 1;
  const double span = static_cast<double>(std::max<int64_t>(1, options_.max_steps - warmup_));
  const double progress = std::clamp(static_cast<double>(update - warmup_) / span, 0.0, 1.0);
  if (type == "linear") return 1 - progress;
  if (type == "cosine_with_restarts") {
    if (progress >= 1) return 0;
    return 0.5 * (1 + std::cos(std::numbers::pi * std::fmod(num_cycles_ * progress, 1.0)));
  }
  if (type == "jagged_cosine") return jagged(update);
  if (type == "polynomial") {
    return (1 - end_rate_) * std::pow(1 - progress, power_) + end_rate_;
  }
  if (type == "inverse_sqrt") {
    const double timescale = static_cast<double>(timescale_);
    return std::sqrt(timescale / (static_cast<double>(update - warmup_) + timescale));
  }
  if (type == "warmup_stable_decay") return stable_decay(update);
  const double cosine = std::max(0.0, 0.5 * (1 + std::cos(2 * std::numbers::pi * num_cycles_ * progress)));
  return min_rate_ + (1 - min_rate_) * cosine;
}

double Schedule::jagged(int64_t update) const {
  const auto cosine = [&](int64_t since) {
    const double progress = static_cast<double>(since) / static_cast<double>(options_.max_steps - warmup_);
    return min_rate_ + (1 - min_rate_) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  };
  const int64_t adjusted = update + adjust_, in_cycle = adjusted % cycle_;
  if (update < cycle_ || in_cycle >= restart_warmup_) return cosine(adjusted - warmup_);
  const double share = static_cast<double>(in_cycle) / static_cast<double>(restart_warmup_);
  return share * cosine(adjusted - in_cycle + restart_warmup_ - warmup_);
}

double Schedule::stable_decay(int64_t update) const {
  const int64_t begin = options_.max_steps - num_decay_steps_;
  if (update < begin) return 1;
  if (update >= options_.max_steps) return min_rate_;  // independent of num_cycles
  const double progress = static_cast<double>(update - begin) / static_cast<double>(num_decay_steps_);
  double factor = 1 - progress;
  if (decay_type_ == "cosine") factor = 0.5 * (1 + std::cos(2 * std::numbers::pi * num_cycles_ * progress));
  if (decay_type_ == "1-sqrt") factor = 1 - std::sqrt(progress);
  return min_rate_ + (1 - min_rate_) * factor;
}

}  // namespace galore
