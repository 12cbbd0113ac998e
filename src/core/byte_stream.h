// Reads the bytes of a file from beginning to end and decompresses it when its name ends in .gz or .zst.
#pragma once

#include <memory>

#include "core/files.h"

namespace galore {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Reads at least one and at most `most` of the next bytes and returns their number; 0 means the end. A
  // damaged or unfinished compressed file is an Error that names it.
  virtual size_t read(char* destination, size_t most) = 0;
  // Continues at byte `offset` of the content. Returns false and does nothing when this would require
  // decompressing all bytes before it.
  virtual bool seek(uint64_t) { return false; }
  // Returns the part of the file on disk, from 0 to 1, that was needed for the bytes read so far.
  virtual double share() const = 0;
};

// Opens a file. A .gz file may have several members and a .zst file several frames.
std::unique_ptr<ByteStream> open_bytes(const Path& path);
// Removes .gz or .zst from the path; the remaining extension tells the type of the content.
Path without_compression(const Path& path);

}  // namespace galore
