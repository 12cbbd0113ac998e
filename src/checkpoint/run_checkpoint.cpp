#include "checkpoint/run_checkpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/errors.h"

namespace galore {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "checkpoint-";
constexpr const char* kUnfinished = ".unfinished-";
constexpr const char* kDiscarded = ".discarded-";

bool begins_with(const std::string& text, const std::string& start) { return text.rfind(start, 0) == 0; }

// Returns the number if the whole text is one, and nothing for "", "007", "12a" and numbers that overflow.
std::optional<int64_t> whole_number(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || std::to_string(value) != text) return {};
  return value;
}

std::string hidden_name(const char* prefix, int64_t step) {
  return fmt::format("{}{}-{}", prefix, step, ::getpid());
}

// Takes the lock on a folder. Returns -1 when another process has it or the folder cannot be locked.
int lock_folder(const Path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return -1;
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

void flush_file(const Path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool flushed = descriptor >= 0 && ::fsync(descriptor) == 0;
  const std::string reason = std::strerror(errno);
  if (descriptor >= 0) ::close(descriptor);
  if (!flushed) fail("checkpoint", "cannot flush {}: {}", path.string(), reason);
}

// Flushes all files, because other code may have written files into the folder without flushing them.
void flush_tree(const Path& directory) {
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_directory()) {
      sync_directory(entry.path());
    } else if (entry.is_regular_file()) {
      flush_file(entry.path());
    }
  }
  sync_directory(directory);
}

void rename_or_fail(const Path& from, const Path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    fail("checkpoint", "cannot rename {} to {}: {}", from.string(), to.string(), std::strerror(errno));
}

void remove_tree(const Path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) fail("checkpoint", "cannot remove {}: {}", path.string(), error.message());
}

// Returns true for a temporary file ".<name>.<process>.tmp" of core/files.h with a process that has ended.
bool is_dead_temporary(const Path& path) {
  const std::string name = path.filename().string();
  if (name.front() != '.' || path.extension() != ".tmp" || !fs::is_regular_file(fs::symlink_status(path)))
    return false;
  const std::string process = path.stem().extension().string();
  const auto id = whole_number(process.empty() ? process : process.substr(1));
  return id && *id > 0 && *id <= INT32_MAX && ::kill(static_cast<pid_t>(*id), 0) != 0 && errno == ESRCH;
}

bool is_dead_folder(const Path& path) {
  const std::string name = path.filename().string();
  if (!begins_with(name, kUnfinished) && !begins_with(name, kDiscarded)) return false;
  const int lock = lock_folder(path);
  if (lock >= 0) ::close(lock);
  return lock >= 0;
}

}  // namespace

Path checkpoint_path(const Path& output_dir, int64_t step) {
  return output_dir / (kPrefix + std::to_string(step));
}

bool is_complete_checkpoint(const Path& directory) {
  std::error_code ignored;
  return fs::is_regular_file(directory / kTrainerStateName, ignored);
}

std::vector<CheckpointEntry> list_checkpoints(const Path& output_dir) {
  std::vector<CheckpointEntry> entries;
  std::error_code error;
  for (fs::directory_iterator it(output_dir, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!begins_with(name, kPrefix)) continue;
    const auto step = whole_number(name.substr(std::strlen(kPrefix)));
    if (step && *step >= 0 && is_complete_checkpoint(it->path())) entries.push_back({it->path(), *step});
  }
  std::sort(entries.begin(), entries.end(),
            [](const CheckpointEntry& a, const CheckpointEntry& b) { return a.step < b.step; });
  return entries;
}

std::optional<Path> find_latest(const Path& output_dir) {
  const auto entries = list_checkpoints(output_dir);
  if (entries.empty()) return std::nullopt;
  return entries.back().path;
}

CheckpointWriter::CheckpointWriter(const Path& output_dir, int64_t step)
    : output_dir_(output_dir), directory_(output_dir / hidden_name(kUnfinished, step)), step_(step) {
  GALORE_ASSERT(step >= 0);
  remove_tree(directory_);
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error) fail("checkpoint", "cannot create the folder {}: {}", directory_.string(), error.message());
  lock_ = lock_folder(directory_);
}

CheckpointWriter::~CheckpointWriter() {
  if (lock_ >= 0) ::close(lock_);
  std::error_code ignored;
  if (!committed_) fs::remove_all(directory_, ignored);
}

Path CheckpointWriter::commit() {
  GALORE_ASSERT(!committed_);
  if (!is_complete_checkpoint(directory_))
    fail("checkpoint", "{} is missing in {}", kTrainerStateName, directory_.string());
  flush_tree(directory_);
  const Path final_path = checkpoint_path(output_dir_, step_);
  publish(final_path);
  committed_ = true;
  sync_directory(output_dir_);
  return final_path;
}

void CheckpointWriter::publish(const Path& final_path) {
  if (!fs::exists(fs::symlink_status(final_path))) return rename_or_fail(directory_, final_path);
  // A single system call exchanges the two names, so that the checkpoint exists at every moment. File systems
  // without it need two renames.
  if (::renameat2(AT_FDCWD, directory_.c_str(), AT_FDCWD, final_path.c_str(), RENAME_EXCHANGE) == 0)
    return remove_tree(directory_);
  const Path hidden = output_dir_ / hidden_name(kDiscarded, step_);
  remove_tree(hidden);
  rename_or_fail(final_path, hidden);
  rename_or_fail(directory_, final_path);
  remove_tree(hidden);
}

// The folder is hidden first, so that a kill during the removal cannot leave half a checkpoint under its
// name.
void remove_checkpoint(const CheckpointEntry& entry) {
  const Path hidden = entry.path.parent_path() / hidden_name(kDiscarded, entry.step);
  remove_tree(hidden);
  rename_or_fail(entry.path, hidden);
  remove_tree(hidden);
}

std::vector<Path> prune(const Path& output_dir, int64_t keep_total, const Path& protect) {
  std::vector<Path> removed;
  if (keep_total <= 0) return removed;
  const auto entries = list_checkpoints(output_dir);
  int64_t surplus = static_cast<int64_t>(entries.size()) - keep_total;
  for (size_t i = 0; i + 1 < entries.size() && surplus > 0; ++i) {
    std::error_code ignored;
    const Path& path = entries[i].path;
    if (!protect.empty() && (path == protect || fs::equivalent(path, protect, ignored))) continue;
    remove_checkpoint(entries[i]);
    removed.push_back(path);
    --surplus;
  }
  return removed;
}

std::vector<Path> clean_leftovers(const Path& output_dir) {
  std::vector<Path> leftovers;
  std::error_code error;
  for (fs::directory_iterator it(output_dir, error), end; !error && it != end; it.increment(error))
    if (is_dead_folder(it->path()) || is_dead_temporary(it->path())) leftovers.push_back(it->path());
  for (const Path& path : leftovers) remove_tree(path);
  return leftovers;
}

}  // namespace galore
