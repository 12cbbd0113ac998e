// The bytes of a file from its beginning to its end, decompressed where its name ends in .gz or .zst.
#pragma once

#include <memory>

#include "core/files.h"

namespace galore {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // As many of the next bytes as there are, at most `most`; 0 at the end. A damaged or unfinished compressed
  // file is an Error that names it.
  virtual size_t read(char* destination, size_t most) = 0;
  // Goes on at byte `offset` of the content where that costs nothing; false, and nothing done, where the
  // bytes before must be decompressed.
  virtual bool seek(uint64_t) { return false; }
  // How much of the file, as it is on disk, was needed for what has been read: 0 to 1.
  virtual double share() const = 0;
};

// Members of a .gz file and frames of a .zst file may follow each other.
std::unique_ptr<ByteStream> open_bytes(const Path& path);
// Without .gz or .zst: what the extension of the content is.
Path without_compression(const Path& path);

}  // namespace galore
