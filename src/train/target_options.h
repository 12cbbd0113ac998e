// The options of targets that follow from rewards (target_network.h).
#pragma once

#include <cstdint>
#include <string>

#include "core/batch.h"

namespace galore {

struct TargetOptions {
  std::string target_network = "none";  // none, head, or model
  int64_t target_update_interval = 100;
  double target_tau = 1;
  int64_t td_steps = 0;  // n of n-step returns; 0: lambda returns
  double cql_alpha = 0;  // weight of the conservative term

  bool has_target_network() const { return target_network != "none"; }
  BackupRule backup() const { return {td_steps, cql_alpha}; }
};

}  // namespace galore
