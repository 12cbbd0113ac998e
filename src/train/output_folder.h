// The output folder belongs to one run: checkpoints of two runs in it would be mistaken for each other (the
// latest would be resumed, and the oldest pruned, by step alone).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checkpoint/run_checkpoint.h"

namespace galore {

class OutputFolder {
 public:
  // Creates the folder; one that cannot be written is an Error. So is one that holds checkpoints which do not
  // lead to this run's beginning, unless `overwrite`: with `resumed`, those of later steps, and all if
  // `resumed` lies elsewhere; without, all. Removes nothing yet.
  OutputFolder(const Path& path, const std::optional<Path>& resumed, int64_t step, bool overwrite);

  // Removes what the constructor found and what killed writers left. To be called when nothing else can be
  // refused any more. Returns lines for the log.
  std::vector<std::string> clear() const;

 private:
  void refuse_if_not_writable() const;

  Path path_;
  bool resumed_;
  std::vector<CheckpointEntry> foreign_;  // checkpoints of an earlier run, by rising step
};

}  // namespace galore
