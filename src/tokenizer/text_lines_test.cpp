#include "tokenizer/text_lines.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/errors.h"
#include "core/test_folder.h"
#include "tokenizer/text_repair.h"

namespace galore {
namespace {

TEST(TextLines, LongLinesComeInWholeCharacters) {
  const TestFolder folder;
  const Path path = folder / "lines.txt";
  std::string text;
  for (int i = 0; i < 500; ++i) text += i % 3 == 0 ? "\u4f60" : i % 3 == 1 ? "\u00e9" : "a\U0001f600";
  std::ofstream(path, std::ios::binary) << "first\n" << text << "\r\n\nlast";
  for (size_t largest = 4; largest < 40; ++largest) {
    TextLines lines(path, largest);
    std::string piece, line;
    std::vector<std::string> all;
    while (lines.next(piece)) {
      EXPECT_TRUE(is_valid_utf8(piece)) << largest;
      EXPECT_LE(piece.size(), largest);
      EXPECT_EQ(lines.line_number(), static_cast<int64_t>(all.size()) + 1);
      line += piece;
      if (lines.line_ended()) all.push_back(std::exchange(line, ""));
    }
    EXPECT_TRUE((all == std::vector<std::string>{"first", text, "", "last"})) << largest;
  }
}

}  // namespace
}  // namespace galore
