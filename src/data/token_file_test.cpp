#include "data/token_file.h"

#include <cstring>

#include "data/data_test.h"
#include "data/token_cache.h"
#include "data/token_dataset.h"

namespace galore {
namespace {

using Ids = std::vector<int64_t>;

template <typename Stored>
std::string packed(const std::vector<Stored>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Stored)};
}

Ids all_ids(const TokenFile& file) {
  Ids ids(static_cast<size_t>(file.num_tokens())), labels(ids.size());
  file.read(0, file.num_tokens(), ids.data(), labels.data());
  return ids;
}

class TokenFileTest : public DataTest {
 protected:
  std::unique_ptr<TokenFile> cache(const Path& data) {
    ++calls_;
    return open_or_build_cache(data, &tokenizer_, options_, folder_ / "cache",
                               [this](const std::string&) { ++built_; });
  }
  Path only(const char* extension) {
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "cache"))
      if (entry.path().extension() == extension) return entry.path();
    return {};
  }

  ByteTokenizer tokenizer_;
  TokenizationOptions options_{{}, true, 257};
  int calls_ = 0, built_ = 0;
};

TEST_F(TokenFileTest, ShardsWithAndWithoutHeader) {
  EXPECT_EQ(all_ids(*TokenFile::open_shard(write("a.bin", packed<uint16_t>({1, 65535, 3})))),
            (Ids{1, 65535, 3}));
  EXPECT_EQ(all_ids(*TokenFile::open_shard(write("b.bin", shard_header(2, 2) + packed<uint16_t>({7, 8})))),
            (Ids{7, 8}));
  EXPECT_EQ(
      all_ids(*TokenFile::open_shard(write("c.bin", shard_header(2, 4) + packed<uint32_t>({7, 128000})))),
      (Ids{7, 128000}));
}

TEST_F(TokenFileTest, ShardsOfWrongSizeAreErrors) {
  EXPECT_THROW(TokenFile::open_shard(write("a.bin", "abc")), Error);
  EXPECT_THROW(TokenFile::open_shard(write("a.bin", "")), Error);
  EXPECT_THROW(TokenFile::open_shard(write("a.bin", shard_header(3, 2) + "1234")), Error);
  EXPECT_THROW(TokenFile::open_shard(write("a.bin", shard_header(-1, 2))), Error);
  EXPECT_THROW(TokenFile::open_shard(write("a.bin", shard_header(1, 4) + "12")), Error);
}

TEST_F(TokenFileTest, CacheHoldsDocumentsAndIsReused) {
  const Path data = write("a.txt", "ab\n\nc\n");
  const auto first = cache(data);
  EXPECT_EQ(all_ids(*first), (Ids{256, 'a', 'b', 257, 256, 'c', 257}));
  EXPECT_EQ(first->num_documents(), 2);
  EXPECT_EQ(first->document(1).begin, 4);
  EXPECT_EQ(first->document(1).count, 3);
  const int built = built_;
  EXPECT_EQ(all_ids(*cache(data)), all_ids(*first));
  EXPECT_EQ(built_, built);
  write("a.txt", "ab\n\nd\n");
  EXPECT_EQ(all_ids(*cache(data))[5], 'd');
  EXPECT_GT(built_, built);
  options_.separator.reset();
  EXPECT_EQ(cache(data)->num_tokens(), 5);
}

TEST_F(TokenFileTest, DamagedCachesAreBuiltAgain) {
  const Path data =
      write("rows.jsonl", "{\"input_ids\":[1,2],\"labels\":[-100,2]}\n{\"input_ids\":[3],\"labels\":[3]}\n");
  const Ids expected = {1, 2, 3};
  EXPECT_EQ(all_ids(*cache(data)), expected);
  for (const char* extension : {".tokens", ".offsets", ".labels"}) {
    const Path file = only(extension);
    const auto size = std::filesystem::file_size(file);
    for (const uintmax_t length : {uintmax_t{0}, size / 2, size - 1}) {
      std::filesystem::resize_file(file, length);
      const int built = built_;
      EXPECT_EQ(all_ids(*cache(data)), expected);
      EXPECT_GT(built_, built) << extension << " of " << length << " bytes was accepted";
    }
    std::filesystem::remove(file);
    EXPECT_EQ(all_ids(*cache(data)), expected);
  }
  // This footer fits the file sizes but claims that there are no labels.
  std::string bytes = read_file(only(".tokens"));
  bytes[bytes.size() - sizeof(CacheFooter) + offsetof(CacheFooter, has_labels)] = 0;
  write_file_atomically(only(".tokens"), bytes);
  EXPECT_TRUE(cache(data)->has_labels());
}

// If a separator followed a row with masked labels, it would be the only learned token.
TEST_F(TokenFileTest, LabelsAreKeptAndGetNoSeparator) {
  const auto file = cache(write("rows.jsonl", "{\"input_ids\":[1,2],\"labels\":[-100,2]}"));
  Ids ids(2), labels(2);
  ASSERT_EQ(file->num_tokens(), 2);
  file->read(0, 2, ids.data(), labels.data());
  EXPECT_EQ(labels, (Ids{-100, 2}));
  EXPECT_NE(message_of([&] {
              cache(write("mixed.jsonl", "{\"input_ids\":[1],\"labels\":[1]}\n{\"input_ids\":[1]}"));
            }).find("mixed.jsonl:2"),
            std::string::npos);
  EXPECT_THROW(cache(write("large.jsonl", "{\"input_ids\":[258]}")), Error);
}

TEST_F(TokenFileTest, RowsWithUnknownIdsAreBroken) {
  const ByteTokenizer tokenizer;
  const Path path = write("rows.jsonl",
                          "{\"input_ids\":[1,2]}\n{\"input_ids\":[3,258]}\n{\"text\":7}\n"
                          "{\"input_ids\":[4]}\n");
  TokenizationOptions options;
  EXPECT_NE(
      message_of([&] { open_or_build_cache(path, &tokenizer, options, folder_.path()); }).find("rows.jsonl:"),
      std::string::npos);
  options.broken_rows = BrokenRows::skip;
  std::vector<std::string> said;
  const auto cache = open_or_build_cache(path, &tokenizer, options, folder_.path(),
                                         [&](const std::string& line) { said.push_back(line); });
  EXPECT_EQ(cache->num_tokens(), 3);
  EXPECT_NE(said.back().find("left out 2 broken rows of"), std::string::npos) << said.back();
}

TEST_F(TokenFileTest, ManyDocumentsKeepTheirOrder) {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += fmt::format("{}\n", i);
  options_ = {{TextDocuments::line}, false, std::nullopt};
  const auto file = cache(write("a.txt", text));
  ASSERT_EQ(file->num_documents(), 200000);
  std::string joined;
  for (const int64_t id : all_ids(*file)) joined += static_cast<char>(id);
  text.erase(std::remove(text.begin(), text.end(), '\n'), text.end());
  EXPECT_TRUE(joined == text);
}

TEST_F(TokenFileTest, LengthsAreThoseOfTheDocuments) {
  std::string text;
  for (int i = 0; i < 70000; ++i) text += fmt::format("{}\n", i);  // more tokens than one read takes
  options_ = {{TextDocuments::line}, false, std::nullopt};
  const auto file = cache(write("a.txt", text));
  std::vector<int32_t> lengths{7};
  file->append_lengths(70000, lengths);
  ASSERT_EQ(lengths.size(), 70001u);
  EXPECT_EQ(lengths[0], 7);
  for (int i = 0; i < 70000; i += 499)
    EXPECT_EQ(lengths[static_cast<size_t>(i) + 1], file->document(i).count) << i;
  std::string offsets = read_file(only(".offsets"));
  offsets[8 * 3] = 100;
  std::ofstream(only(".offsets"), std::ios::binary) << offsets;
  EXPECT_NE(message_of([&] {
              cache(folder_ / "a.txt")->append_lengths(10, lengths);
            }).find("document 3 is damaged"),
            std::string::npos);
}

TEST_F(TokenFileTest, DatasetJoinsFiles) {
  write("a.txt", "ab\n\nc");
  write("b.txt", "d");
  DatasetOptions options;
  options.files = {(folder_ / "?.txt").string()};
  options.cache_folder = folder_ / "cache";
  options.tokenization = {{}, false, 257};
  const TokenDataset joined(options, &tokenizer_);
  EXPECT_EQ(joined.num_documents(), 3);
  EXPECT_EQ(joined.document(2).begin, 5);
  Ids ids(4), labels(4);
  joined.read(3, 4, ids.data(), labels.data(), 258);
  EXPECT_EQ(ids, (Ids{'c', 257, 'd', 257}));
  EXPECT_NE(message_of([&] { joined.read(3, 4, ids.data(), labels.data(), 257); }).find("257"),
            std::string::npos);
  options.files = {(folder_ / "none*.txt").string()};
  EXPECT_THROW(TokenDataset(options, &tokenizer_), Error);
}

}  // namespace
}  // namespace galore
