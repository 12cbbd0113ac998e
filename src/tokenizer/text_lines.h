// The lines of a text file, decompressed if need be, streamed: never more than one block and one piece of a
// line in memory.
#pragma once

#include <cstdint>
#include <string>

#include "core/byte_stream.h"

namespace galore {

// Between two pieces: what is needed to go on there.
struct TextPlace {
  int64_t offset = 0;  // bytes of the content, decompressed, before it
  int64_t line = 0;    // lines that have begun before it
  bool inside_line = false;

  bool operator==(const TextPlace&) const = default;
};

class TextLines {
 public:
  // A line longer than `largest_piece` bytes comes in several pieces, cut between characters. From `begin` on
  // the pieces are those that another reader of the file found from there on.
  explicit TextLines(const Path& path, size_t largest_piece = 1 << 20, const TextPlace& begin = {});

  // The next piece without its line end (\n or \r\n); false at the end of the file. A byte order mark is
  // dropped.
  bool next(std::string& piece);
  // True when the last piece ended its line, by a line end or the end of the file.
  bool line_ended() const { return line_ended_; }
  // True when a line end, not the end of the file, closed the last piece.
  bool had_line_end() const { return had_line_end_; }
  // Of the last piece, from 1.
  int64_t line_number() const { return line_number_; }
  // Behind the last piece.
  TextPlace place() const;
  // Of the file on disk, as far as the block at hand: 0 to 1.
  double share() const { return bytes_->share(); }
  const Path& path() const { return path_; }

 private:
  bool fill();
  void go_to(int64_t offset);
  void cut_between_characters(std::string& piece);

  Path path_;
  std::unique_ptr<ByteStream> bytes_;
  size_t largest_piece_;
  std::string block_, kept_;
  int64_t block_begin_ = 0;  // offset of block_
  size_t position_ = 0;
  bool line_ended_ = true, had_line_end_ = false;
  int64_t line_number_ = 0;
};

}  // namespace galore
