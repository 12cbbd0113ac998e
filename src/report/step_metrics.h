// The numbers of one update for a log line.
#pragma once

#include <cstdint>

namespace galore {

struct StepMetrics {
  int64_t step = 0, total_steps = 0;
  double epoch = 0, loss = 0, gradient_norm = 0, learning_rate = 0, tokens_per_second = 0;
  double product_rate_share = 0;  // computing rate divided by the measured rate of matrix products
  int64_t memory_bytes = 0, peak_memory_bytes = 0, tokens_seen = 0;
  int64_t skipped_updates = 0;  // updates since the last line that left out some or all weights
  double seconds_left = 0, clip_factor = 1;
  // since the last line; the time of refreshes is part of both
  double optimizer_seconds = 0, refresh_seconds = 0;
  double data_seconds = 0;  // time spent waiting for batches since the last line
  bool norm_is_projected = false;
  double mean_rank = 0;  // mean over subspaces with chosen ranks; 0: there are none
  // For runs of several processes, these are the bytes that this process sends in an update, the bytes that
  // PyTorch's DDP would send in fp32, and the seconds of waiting for others since the last line. Without
  // others, world_size is 1.
  int64_t world_size = 1, exchange_bytes = 0, exchange_bytes_ddp = 0;
  double exchange_seconds = 0;
};

}  // namespace galore
