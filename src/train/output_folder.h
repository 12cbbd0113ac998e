// Makes sure that an output folder belongs to one run. With checkpoints of two runs in a folder, the latest
// would be resumed and the oldest pruned by their steps alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checkpoint/run_checkpoint.h"

namespace galore {

// A lock on a folder, which lasts as long as the object or its process. On file systems without locks it does
// nothing.
class FolderLock {
 public:
  // A folder that another object has locked, in this process or another one, is an Error.
  explicit FolderLock(const Path& path);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

// The folder is locked as long as the object exists.
class OutputFolder {
 public:
  // Creates the folder; a folder that cannot be written is an Error, and so is one that another run writes
  // into. Checkpoints that do not lead to the
  // beginning of this run are an Error too, unless `overwrite` is set. When the run resumes from `resumed` in
  // this folder, these are the checkpoints of later steps; otherwise they are all checkpoints in the folder.
  // Removes nothing yet.
  OutputFolder(const Path& path, const std::optional<Path>& resumed, int64_t step, bool overwrite);

  // Removes the checkpoints that the constructor found and the files that killed writers left. Call it when
  // nothing can refuse the run any more. Returns lines for the log.
  std::vector<std::string> clear() const;

 private:
  void refuse_if_not_writable() const;

  Path path_;
  std::optional<FolderLock> lock_;
  bool resumed_;
  std::vector<CheckpointEntry> foreign_;  // checkpoints of an earlier run, by rising step
};

}  // namespace galore
