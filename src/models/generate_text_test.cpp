#include "models/generate_text.h"

#include <gtest/gtest.h>

namespace galore {
namespace {

// A byte a token, as byte-level tokenizers have them; a character that lacks bytes is U+FFFD.
std::string decode_bytes(const std::vector<int64_t>& ids) {
  std::string text;
  for (const int64_t id : ids) text += static_cast<char>(id);
  const bool is_cut = !text.empty() && static_cast<unsigned char>(text.back()) == 0xc3;
  return is_cut ? text.substr(0, text.size() - 1) + "\xef\xbf\xbd" : text;
}

TEST(TextStream, GivesTheTextOfNewTokensAlone) {
  TextStream stream(decode_bytes, {'a', 'b'});
  EXPECT_EQ(stream.add('c'), "c");
  EXPECT_EQ(stream.add('d'), "d");
}

TEST(TextStream, WaitsForTheOtherBytesOfACharacter) {
  TextStream stream(decode_bytes, {'a'});
  EXPECT_EQ(stream.add(0xc3), "");
  EXPECT_EQ(stream.add(0xa4), "\xc3\xa4");
  EXPECT_EQ(stream.add('b'), "b");
}

}  // namespace
}  // namespace galore
