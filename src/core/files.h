// Files that are either complete or absent.
//
// Every regular file is written under a temporary name in its own folder, flushed to disk and renamed, so
// that a reader never sees a part of it. A FIFO, a device or /dev/stdout is written into and never replaced.
// Failures (missing folder, full disk, no permission) throw `Error` with the path and the system's reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace galore {

using Path = std::filesystem::path;

// A file that appears under its final name when commit() is called. Without it the destructor removes the
// temporary file.
class AtomicFile {
 public:
  explicit AtomicFile(Path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write(const std::string& text) { write(text.data(), text.size()); }
  // Flushes the file, renames it to its final name and flushes the folder.
  void commit();

 private:
  Path path_, temporary_;
  int descriptor_ = -1;
  bool committed_ = false;
};

void write_file_atomically(const Path& path, const std::string& content);
std::string read_file(const Path& path, uint64_t largest_bytes = UINT64_MAX);

// Random access to a file without mapping it, because mapped pages would count as resident memory of this
// process.
class RandomAccessFile {
 public:
  explicit RandomAccessFile(Path path);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;

  uint64_t size() const { return size_; }
  const Path& path() const { return path_; }
  // Reads exactly `bytes` bytes at `offset`, or throws Error.
  void read(uint64_t offset, void* destination, size_t bytes) const;

 private:
  Path path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

// Returns the files that match a shell pattern ("data/*.txt"), sorted. A plain path gives itself. A pattern
// without matches is an Error.
std::vector<Path> expand_glob(const std::string& pattern);

// Returns FNV-1a of a file's bytes as 16 hex digits. It names caches and offers no protection against
// forgery.
std::string file_fingerprint(const Path& path);

void sync_directory(const Path& directory);

}  // namespace galore
