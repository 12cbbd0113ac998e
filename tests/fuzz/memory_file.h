// Gives fuzz targets of readers that need a path a file that exists only in memory.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/files.h"

namespace galore {

class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : descriptor_(::memfd_create("fuzz", 0)) {
    if (descriptor_ < 0 || ::write(descriptor_, data, size) != static_cast<ssize_t>(size)) std::abort();
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  Path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

// Returns a folder of links to such files, for readers that look at names. All inputs of a process share it.
inline const Path& memory_folder() {
  static const struct Folder {
    Folder() {
      std::string name = (std::filesystem::temp_directory_path() / "fuzz-XXXXXX").string();
      if (!::mkdtemp(name.data())) std::abort();
      path = name;
    }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    Path path;
  } folder;
  return folder.path;
}

class NamedMemoryFile : public MemoryFile {
 public:
  NamedMemoryFile(const std::string& name, const uint8_t* data, size_t size)
      : MemoryFile(data, size), link_(memory_folder() / name) {
    ::unlink(link_.c_str());
    if (::symlink(MemoryFile::path().c_str(), link_.c_str()) != 0) std::abort();
  }
  ~NamedMemoryFile() { ::unlink(link_.c_str()); }
  NamedMemoryFile(const NamedMemoryFile&) = delete;
  NamedMemoryFile& operator=(const NamedMemoryFile&) = delete;

  const Path& path() const { return link_; }

 private:
  Path link_;
};

}  // namespace galore
