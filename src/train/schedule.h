// Learning-rate schedules, by the names and formulas of transformers' `get_scheduler`.
//
// The factor of update u (from 0) multiplies the peak rate. All schedules except `constant` begin with a
// linear warm-up from 0, so the first update of a run with warm-up has rate 0 exactly. The warm-up of
// warmup_stable_decay begins at min_lr_ratio. With w warm-up updates out of S:
//   linear                     (S - u) / (S - w)
//   cosine                     (1 + cos(2 pi num_cycles p)) / 2, p = (u - w) / (S - w), num_cycles 0.5
//   cosine_with_min_lr         cosine scaled into [min_lr_rate, 1]; GaLore's schedule with min_lr_rate 0.1
//   cosine_with_restarts       (1 + cos(pi (num_cycles p mod 1))) / 2, num_cycles 1
//   jagged_cosine              c(t - w), with restarts (ReLoRA, arXiv 2307.05695), where t = u + adjust_step
//                              and c is cosine_with_min_lr's cosine with min_lr_rate 0.1. From
//                              u = cycle_length on, the first r = restart_warmup_steps updates of a cycle
//                              warm up to it by k / r c(t - k + r - w), where k = t mod cycle_length
//   constant, constant_with_warmup   1
//   polynomial                 (1 - lr_end / lr) (1 - p)^power + lr_end / lr, lr_end 1e-7, power 1
//   inverse_sqrt               sqrt(timescale / (u + timescale - w)), timescale w or 10000
//   warmup_stable_decay        1, then over num_decay_steps down to min_lr_ratio by decay_type
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/options.h"

namespace galore {

struct ScheduleOptions {
  int64_t max_steps = -1;  // number of updates; -1: num_train_epochs decides
  double num_train_epochs = 3;
  double learning_rate = 1e-3;  // the peak rate
  std::string lr_scheduler_type = "linear";
  std::string lr_scheduler_kwargs;  // "min_lr_rate=0.1,num_cycles=0.5"
  double warmup_steps = 0;          // number of updates or, below 1, a share of all updates
};

// Returns the number of updates for an option that is either this number or, below 1, a share of all updates.
int64_t steps_of(double count, int64_t max_steps);

class Schedule {
 public:
  // `options.max_steps` must be known before rate() is called; without it only the arguments are checked.
  // Throws UsageError for unknown types and for kwargs that the type does not have.
  explicit Schedule(const ScheduleOptions& options);
  double rate(int64_t update) const;

 private:
  void declare(OptionTable& table, double& min_lr);
  // Returns a rate of kwargs divided by the peak rate.
  double share_of_peak(const char* name, double rate) const;
  double after_warmup(int64_t update) const;
  double stable_decay(int64_t update) const;
  double jagged(int64_t update) const;
  void check_cycles(OptionTable& table) const;

  ScheduleOptions options_;
  int64_t warmup_ = 0;
  double num_cycles_ = 0.5, min_rate_ = 0, lr_end_ = 1e-7, end_rate_ = 0, power_ = 1;
  int64_t timescale_ = 0, num_decay_steps_ = 0;
  int64_t cycle_ = 0, restart_warmup_ = 0, adjust_ = 0;
  std::string decay_type_ = "cosine";
};

// Returns the names above, as choices of the option.
const std::vector<std::string>& schedule_names();

}  // namespace galore
