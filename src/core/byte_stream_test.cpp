#include "core/byte_stream.h"

#include <gtest/gtest.h>

#include "core/errors.h"
#include "core/test_compression.h"
#include "core/test_folder.h"

namespace galore {
namespace {

using namespace testing_compression;

class ByteStreamTest : public testing::Test {
 protected:
  Path file(const std::string& name, const std::string& content) {
    write_file_atomically(folder_ / name, content);
    return folder_ / name;
  }
  static std::string all(const Path& path, size_t most) {
    const auto stream = open_bytes(path);
    std::string text, piece(most, '\0');
    while (const size_t count = stream->read(piece.data(), most)) text.append(piece, 0, count);
    return text;
  }
  TestFolder folder_;
};

// Returns a text that is larger than a block in every compression, and so repetitive that little input gives
// much output.
std::string long_text() {
  std::string text;
  for (int i = 0; text.size() < (3u << 20); ++i)
    text += std::to_string(i * 7919 % 104729) + std::string(40, 'x');
  return text;
}

TEST_F(ByteStreamTest, GivesWhatWasCompressed) {
  const std::string text = long_text();
  for (const size_t most : {size_t{1000}, size_t{1} << 20}) {
    EXPECT_EQ(all(file("a.txt", text), most), text);
    EXPECT_EQ(all(file("a.txt.gz", gzip(text)), most), text);
    EXPECT_EQ(all(file("a.txt.zst", zstd(text)), most), text);
  }
}

TEST_F(ByteStreamTest, MembersAndFramesFollowEachOther) {
  const std::string text = long_text();
  EXPECT_EQ(all(file("b.gz", gzip("one") + gzip("") + gzip(text)), 5000), "one" + text);
  EXPECT_EQ(all(file("b.zst", zstd("one") + zstd("") + zstd(text)), 5000), "one" + text);
  EXPECT_EQ(all(file("empty.gz", ""), 10), "");
  EXPECT_EQ(all(file("empty.zst", ""), 10), "");
}

TEST_F(ByteStreamTest, DamageIsAnErrorThatNamesTheFile) {
  const std::string text = long_text();
  for (const std::string kind : {"gz", "zst"}) {
    const std::string whole = kind == "gz" ? gzip(text) : zstd(text);
    std::string flipped = whole;
    flipped[whole.size() / 2] ^= 0x55;
    for (const std::string& content :
         {whole.substr(0, whole.size() - 9), flipped, std::string("no such thing")}) {
      try {
        EXPECT_EQ(all(file("c." + kind, content), 1 << 16), text) << "a damage that is not noticed";
        ADD_FAILURE() << kind;
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("data are damaged"), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("c." + kind), std::string::npos) << error.what();
      }
    }
  }
}

TEST_F(ByteStreamTest, GoesOnWhereThatCostsNothing) {
  const auto plain = open_bytes(file("d.txt", "0123456789"));
  char next = 0;
  ASSERT_TRUE(plain->seek(7));
  EXPECT_EQ(plain->read(&next, 1), 1u);
  EXPECT_EQ(next, '7');
  EXPECT_EQ(plain->share(), 0.8);
  EXPECT_THROW(plain->seek(11), Error);
  const auto compressed = open_bytes(file("d.gz", gzip("0123456789")));
  EXPECT_FALSE(compressed->seek(7));
  EXPECT_EQ(compressed->read(&next, 1), 1u);
  EXPECT_EQ(next, '0');
  EXPECT_EQ(compressed->share(), 1) << "of the file, which is one block";
}

TEST_F(ByteStreamTest, TheNameOfTheContent) {
  EXPECT_EQ(without_compression("a/b.jsonl.gz"), "a/b.jsonl");
  EXPECT_EQ(without_compression("b.txt.zst"), "b.txt");
  EXPECT_EQ(without_compression("b.txt"), "b.txt");
}

}  // namespace
}  // namespace galore
