#include "train/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/errors.h"

namespace galore {

FolderLock::FolderLock(const Path& path)
    : descriptor_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(descriptor_);
  fail("output_dir", "another run writes into {}: expected another output_dir, or that run to end first",
       path.string());
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

OutputFolder::OutputFolder(const Path& path, const std::optional<Path>& resumed, int64_t step, bool overwrite)
    : path_(path), resumed_(resumed.has_value()) {
  refuse_if_not_writable();
  lock_.emplace(path);
  std::error_code ignored;
  const bool own = resumed && std::filesystem::equivalent(std::filesystem::absolute(*resumed).parent_path(),
                                                          path, ignored);
  for (const CheckpointEntry& entry : list_checkpoints(path))
    if (!own || entry.step > step) foreign_.push_back(entry);
  if (foreign_.empty() || overwrite) return;
  const std::string last = foreign_.back().path.string();
  if (own)
    fail("output_dir",
         "{} is of a later step than {}, which is to be resumed: expected to resume the latest "
         "(resume_from_checkpoint=auto), another output_dir, or overwrite_output_dir=true, which removes it",
         last, resumed->string());
  fail("output_dir",
       "{} is of an earlier run: expected to continue it (resume_from_checkpoint=auto), another output_dir, "
       "or overwrite_output_dir=true, which removes it",
       last);
}

void OutputFolder::refuse_if_not_writable() const {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (!std::filesystem::is_directory(path_))
    fail("output_dir", "cannot create the folder '{}': {}", path_.string(), error.message());
  if (::access(path_.c_str(), W_OK | X_OK) != 0)
    fail("output_dir", "cannot write into {}: {}", path_.string(), std::strerror(errno));
}

std::vector<std::string> OutputFolder::clear() const {
  std::vector<std::string> lines;
  for (const Path& path : clean_leftovers(path_)) lines.push_back("removed the unfinished " + path.string());
  for (const CheckpointEntry& entry : foreign_) {
    remove_checkpoint(entry);
    lines.push_back("overwrite_output_dir: removed " + entry.path.string());
  }
  if (!resumed_ && std::filesystem::exists(path_ / "config.json"))
    lines.push_back(fmt::format(
        "note: the model in {} is of an earlier run; this run's replaces it at the end", path_.string()));
  return lines;
}

}  // namespace galore
