// The lines of text that a tokenizer is trained on.
#pragma once

#include <memory>
#include <string>

#include "tokenizer/text_lines.h"

namespace galore {

class TrainingText {
 public:
  virtual ~TrainingText() = default;
  // Reads the next line, or a piece of a long one, without its line end; returns false at the end.
  virtual bool next(std::string& line) = 0;
  // Returns true when a line end closed the last line.
  virtual bool had_line_end() const = 0;
};

// Opens a text file. Text that is not UTF-8 is an Error with file, line and byte.
std::unique_ptr<TrainingText> open_plain_text(const Path& path, TextEncoding encoding = TextEncoding::utf8);

}  // namespace galore
