#include "core/files.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/errors.h"
#include "core/file_kinds.h"
#include "core/fnv1a.h"
#include "core/output_path.h"

namespace galore {
namespace {

std::string system_reason() { return std::strerror(errno); }

// Links such as /dev/stdout and /dev/fd/3 stand for open files.
bool is_open_file(const Path& path) {
  std::error_code ignored;
  const std::string name = path.string();
  return (name.starts_with("/dev/") || name.starts_with("/proc/")) &&
         std::filesystem::is_symlink(path, ignored);
}

// Folders are no output; renaming onto one fails with the reason.
bool is_special(const Path& path) {
  if (is_open_file(path)) return true;
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status) &&
         !std::filesystem::is_directory(status);
}

int open_special(const Path& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor < 0) fail("write", "cannot open {}: {}", path.string(), system_reason());
  return descriptor;
}

}  // namespace

AtomicFile::AtomicFile(Path path) : path_(std::move(path)) {
  if (is_special(path_)) {
    descriptor_ = open_special(path_);
    return;
  }
  const Path directory = path_.has_parent_path() ? path_.parent_path() : Path(".");
  temporary_ = directory / fmt::format(".{}.{}.tmp", path_.filename().string(), ::getpid());
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("write", "cannot create {}: {}", path_.string(), system_reason());
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!committed_ && !temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) {
  const char* position = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, position, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("write", "cannot write {}: {}", path_.string(), system_reason());
    position += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (!temporary_.empty() && ::fsync(descriptor_) != 0)
    fail("write", "cannot flush {}: {}", path_.string(), system_reason());
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail("write", "cannot close {}: {}", path_.string(), system_reason());
  if (temporary_.empty()) return;
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    fail("write", "cannot rename to {}: {}", path_.string(), system_reason());
  committed_ = true;
  sync_directory(path_.has_parent_path() ? path_.parent_path() : Path("."));
}

void require_other_folder(const Path& model, const Path& output) {
  std::error_code ignored;
  if (std::filesystem::equivalent(model, output, ignored))
    fail_usage("output_dir", "expected another folder than the model's, given {}", output.string());
}

// A link whose target does not exist yet is followed too.
Path behind_link(const Path& path) {
  constexpr int kMostLinks = 40;  // as in Linux; more are a loop
  Path target = path;
  std::error_code error;
  for (int i = 0; i < kMostLinks && !is_open_file(target) && std::filesystem::is_symlink(target, error); ++i)
    target = target.parent_path() / std::filesystem::read_symlink(target, error);
  return target;
}

void write_file_atomically(const Path& path, const std::string& content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

std::string read_file(const Path& path, uint64_t largest_bytes) {
  RandomAccessFile file(path);
  if (file.size() > largest_bytes)
    fail("read", "{} has {} bytes, expected at most {}", path.string(), file.size(), largest_bytes);
  std::string content(file.size(), '\0');
  file.read(0, content.data(), content.size());
  if (const std::string pointer = lfs_pointer(content); !pointer.empty()) fail(path.string(), "{}", pointer);
  return content;
}

RandomAccessFile::RandomAccessFile(Path path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) fail("read", "cannot open {}: {}", path_.string(), system_reason());
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    fail("read", "{} is not a regular file", path_.string());
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

RandomAccessFile::~RandomAccessFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void RandomAccessFile::read(uint64_t offset, void* destination, size_t bytes) const {
  if (offset > size_ || bytes > size_ - offset)
    fail("read", "{}: expected {} bytes at offset {}, the file has {}", path_.string(), bytes, offset, size_);
  char* position = static_cast<char*>(destination);
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, position, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail("read", "cannot read {} at offset {}: {}", path_.string(), offset, system_reason());
    position += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<size_t>(got);
  }
}

bool is_standard_output(const Path& path) {
  struct stat named {
  }, standard{};
  return ::stat(path.c_str(), &named) == 0 && ::fstat(STDOUT_FILENO, &standard) == 0 &&
         named.st_dev == standard.st_dev && named.st_ino == standard.st_ino;
}

std::vector<Path> expand_glob(const std::string& pattern) {
  if (std::filesystem::exists(pattern)) return {pattern};
  glob_t matches{};
  const int status = ::glob(pattern.c_str(), GLOB_BRACE | GLOB_TILDE, nullptr, &matches);
  std::vector<Path> paths(matches.gl_pathv, matches.gl_pathv + (status == 0 ? matches.gl_pathc : 0));
  ::globfree(&matches);
  if (paths.empty()) fail("files", "no file matches '{}'", pattern);
  return paths;
}

std::string file_fingerprint(const Path& path) {
  RandomAccessFile file(path);
  std::vector<char> buffer(1 << 20);
  uint64_t hash = kFnv1aBasis;
  for (uint64_t offset = 0; offset < file.size();) {
    const size_t bytes = std::min<uint64_t>(buffer.size(), file.size() - offset);
    file.read(offset, buffer.data(), bytes);
    hash = fnv1a({buffer.data(), bytes}, hash);
    offset += bytes;
  }
  return fmt::format("{:016x}", hash);
}

void sync_directory(const Path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail("write", "cannot open folder {}: {}", directory.string(), system_reason());
  const int status = ::fsync(descriptor);
  ::close(descriptor);
  if (status != 0) fail("write", "cannot flush folder {}: {}", directory.string(), system_reason());
}

}  // namespace galore
