// Files that are either whole or not there.
//
// Every file is written under a temporary name in its own folder, flushed to disk and renamed; a reader never
// sees half of one. Errors (missing folder, full disk, no permission) are `Error` with the path and the
// system's reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace galore {

using Path = std::filesystem::path;

// Writes through `write(file descriptor)`; the temporary file is removed when anything throws.
class AtomicFile {
 public:
  explicit AtomicFile(Path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write(const std::string& text) { write(text.data(), text.size()); }
  // fsync, rename over the final name, fsync the folder. Without it the file does not come to be.
  void commit();

 private:
  Path path_, temporary_;
  int descriptor_ = -1;
  bool committed_ = false;
};

void write_file_atomically(const Path& path, const std::string& content);
std::string read_file(const Path& path, uint64_t largest_bytes = UINT64_MAX);

// Random access to a file without mapping it: mapped pages would count into this process's resident memory.
class RandomAccessFile {
 public:
  explicit RandomAccessFile(Path path);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;

  uint64_t size() const { return size_; }
  const Path& path() const { return path_; }
  // Reads exactly `bytes` at `offset`, or throws.
  void read(uint64_t offset, void* destination, size_t bytes) const;

 private:
  Path path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

// Files matching a shell pattern ("data/*.txt"), sorted; a plain path gives itself. No match is an Error.
std::vector<Path> expand_glob(const std::string& pattern);

// FNV-1a over a file's bytes, as 16 hex digits: names caches, not for security.
std::string file_fingerprint(const Path& path);

void sync_directory(const Path& directory);

}  // namespace galore
