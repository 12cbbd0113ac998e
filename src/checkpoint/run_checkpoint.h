// Checkpoints of a run: output_dir/checkpoint-<step>/ folders that are either whole or not there.
//
// A checkpoint is written into a hidden sibling folder (".unfinished-..."), every file and the folder are
// flushed to disk, then the folder is renamed. A folder counts only if it has trainer_state.json. Removal
// goes the other way: rename to a hidden name (".discarded-..."), then remove. A full disk or a kill at any
// moment leaves the other checkpoints untouched.
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

struct CheckpointEntry {
  Path path;
  int64_t step = 0;
};

Path checkpoint_path(const Path& output_dir, int64_t step);
// Has it a trainer_state.json?
bool is_complete_checkpoint(const Path& directory);
// The complete checkpoints of a run by rising step; none if the folder does not exist.
std::vector<CheckpointEntry> list_checkpoints(const Path& output_dir);
std::optional<Path> find_latest(const Path& output_dir);

// Writes one checkpoint: put files below directory(), trainer_state.json last, then commit(). Destroyed
// without commit() (an exception on the way), it removes what it wrote.
class CheckpointWriter {
 public:
  CheckpointWriter(const Path& output_dir, int64_t step);
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  const Path& directory() const { return directory_; }
  // Flushes everything and renames; an older checkpoint of the same step is replaced. A missing
  // trainer_state.json is an Error. Returns the final path.
  Path commit();

 private:
  void publish(const Path& final_path);

  Path output_dir_, directory_;
  int64_t step_;
  int lock_ = -1;  // shows other processes that the writer lives
  bool committed_ = false;
};

// At any moment it is there whole or not at all.
void remove_checkpoint(const CheckpointEntry& entry);

// Removes the oldest complete checkpoints until `keep_total` are left (0 or less: keeps all). `protect` (the
// best checkpoint; may be empty) and the newest are never removed, as transformers' save_total_limit does.
// Returns what was removed.
std::vector<Path> prune(const Path& output_dir, int64_t keep_total, const Path& protect = {});

// Removes what writers that were killed left in output_dir: hidden folders nobody holds, and temporary files
// of processes that are gone. Returns what was removed.
std::vector<Path> clean_leftovers(const Path& output_dir);

// Copies the tokenizer's files (tokenizer.json, tokenizer.model, chat templates, ...) that exist in `from`.
void copy_tokenizer_files(const Path& from, const Path& to);

}  // namespace galore
