// The checkpoints of a run are the folders output_dir/checkpoint-<step>/. Each is either complete or absent.
//
// A checkpoint is written into a hidden folder next to its final name (".unfinished-..."). Every file and the
// folder are flushed to disk, then the folder is renamed. A folder is a checkpoint only if it has
// trainer_state.json. Removal works the other way: the folder gets a hidden name (".discarded-...") and is
// removed after that. A full disk or a kill at any moment leaves the other checkpoints untouched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/files.h"

namespace galore {

inline constexpr const char* kTrainerStateName = "trainer_state.json";
inline constexpr const char* kOptimizerName = "optimizer.safetensors";
inline constexpr const char* kRngStateName = "rng_state.json";
inline constexpr const char* kTargetNetworkName = "target_network.safetensors";

struct CheckpointEntry {
  Path path;
  int64_t step = 0;
};

Path checkpoint_path(const Path& output_dir, int64_t step);
// Returns true when the folder has a trainer_state.json.
bool is_complete_checkpoint(const Path& directory);
// Returns the complete checkpoints of a run by rising step, or none when the folder does not exist.
std::vector<CheckpointEntry> list_checkpoints(const Path& output_dir);
std::optional<Path> find_latest(const Path& output_dir);

// Writes one checkpoint. Put files below directory(), trainer_state.json last, then call commit(). Without
// commit(), for example after an exception, the destructor removes the files.
class CheckpointWriter {
 public:
  CheckpointWriter(const Path& output_dir, int64_t step);
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  const Path& directory() const { return directory_; }
  // Flushes everything and renames the folder; it replaces an older checkpoint of the same step. A missing
  // trainer_state.json is an Error. Returns the final path.
  Path commit();

 private:
  void publish(const Path& final_path);

  Path output_dir_, directory_;
  int64_t step_;
  int lock_ = -1;  // shows other processes that the writer is alive
  bool committed_ = false;
};

// Removes a checkpoint. At any moment it is complete or absent.
void remove_checkpoint(const CheckpointEntry& entry);

// Removes the oldest complete checkpoints until `keep_total` are left; 0 or less keeps all. Never removes the
// newest checkpoint and `protect` (the best checkpoint; may be empty), like transformers' save_total_limit.
// Returns the removed paths.
std::vector<Path> prune(const Path& output_dir, int64_t keep_total, const Path& protect = {});

// Removes the files that killed writers have left in output_dir: hidden folders without a living writer, and
// temporary files of processes that have ended. Returns the removed paths.
std::vector<Path> clean_leftovers(const Path& output_dir);

}  // namespace galore
