// Streams the lines of a text file and decompresses it if necessary. It holds at most one block and one piece
// of a line in memory.
#pragma once

#include <cstdint>
#include <string>

#include "tokenizer/text_encoding.h"

namespace galore {

// A position between two pieces, from which reading can continue.
struct TextPlace {
  int64_t offset = 0;  // number of bytes before it in the decompressed text
  int64_t line = 0;    // number of lines that begin before it
  bool inside_line = false;

  bool operator==(const TextPlace&) const = default;
};

class TextLines {
 public:
  // A line longer than `largest_piece` bytes comes in several pieces, cut between characters. A reader that
  // starts at `begin` gives the same pieces from there on as the reader that returned this position.
  // Text in another `encoding` is converted; offsets count bytes of UTF-8. A file in UTF-16 that is to be
  // read as UTF-8 is an Error.
  explicit TextLines(const Path& path, size_t largest_piece = 1 << 20, const TextPlace& begin = {},
                     TextEncoding encoding = TextEncoding::utf8);

  // Reads the next piece without its line end (\n or \r\n); returns false at the end of the file. A byte
  // order mark is dropped.
  bool next(std::string& piece);
  // Returns true when the last piece ended its line, by a line end or by the end of the file.
  bool line_ended() const { return line_ended_; }
  // Returns true when a line end closed the last piece, and not the end of the file.
  bool had_line_end() const { return had_line_end_; }
  // Returns the line number of the last piece, counted from 1.
  int64_t line_number() const { return line_number_; }
  // Returns the position after the last piece.
  TextPlace place() const;
  // Returns the part of the file that was read, from 0 to 1, in bytes on disk and counted in whole blocks.
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
  int64_t block_begin_ = 0;  // offset of block_ in the decompressed text
  size_t position_ = 0;
  bool line_ended_ = true, had_line_end_ = false;
  int64_t line_number_ = 0;
};

}  // namespace galore
