// Files whose bytes are not what their name or the options say.
#include "core/test_compression.h"
#include "data/data_test.h"
#include "data/token_dataset.h"
#include "data/training_text.h"

namespace galore {
namespace {

template <typename Stored>
std::string raw_bytes(const std::vector<Stored>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Stored)};
}

class WrongBytesTest : public DataTest {
 protected:
  std::vector<std::string> texts(const Path& path, const DocumentFormat& format = {}) {
    std::vector<std::string> all;
    Document document;
    for (const auto reader = open_documents(path, format); reader->next(document);)
      all.push_back(document.fault.empty() ? document.text : "fault: " + document.fault);
    return all;
  }
  std::string shard_error(const std::string& bytes, TokenDtype dtype = TokenDtype::automatic) {
    const Path path = write("a.bin", bytes);
    return message_of([&] { TokenFile::open_shard(path, dtype); });
  }
  // Returns the message of a dataset with a vocabulary of 64 ids; notes_ gets its notes.
  std::string dataset_error(const std::string& name, const std::string& bytes, int64_t max_length = 0) {
    DatasetOptions options;
    options.files = {write(name, bytes).string()};
    options.cache_folder = folder_ / "cache";
    options.limits = {64, max_length};
    notes_.clear();
    return message_of([&] {
      const TokenDataset dataset(options, nullptr, [&](const std::string& line) { notes_ += line + "\n"; });
    });
  }

  std::string notes_;
};

using Texts = std::vector<std::string>;

TEST_F(WrongBytesTest, TextThatIsNotUtf8IsNamedByLineAndByte) {
  const Path path = write("a.txt",
                          "one\n\ntwo\ngr\xfc\xdf"
                          "e\n\nthree\n");
  const std::string message = message_of([&] { texts(path); });
  EXPECT_TRUE(contains(message, "a.txt:4] expected UTF-8, byte 3 of the line is 0xfc")) << message;
  EXPECT_TRUE(contains(message, "encoding=latin-1")) << message;
  const Texts skipped = texts(path, {.broken_rows = BrokenRows::skip});
  ASSERT_EQ(skipped.size(), 3u);
  EXPECT_EQ(skipped[0], "one");
  EXPECT_TRUE(contains(skipped[1], "a.txt:4]"));
  EXPECT_EQ(texts(path, {.encoding = TextEncoding::latin1}), (Texts{"one", "two\ngr\u00fc\u00dfe", "three"}));
}

TEST_F(WrongBytesTest, Utf16IsNamedAndConverted) {
  const std::string little("\xff\xfeg\0r\0\xfc\0\n\0\x3d\xd8\0\xde", 14),
      big("\xfe\xff\0g\0r\0\xfc\0\n\xd8\x3d\xde\0", 14);
  const Texts expected{"gr\u00fc", "\U0001f600"};
  for (const std::string& bytes : {little, big}) {
    const Path path = write("a.txt", bytes);
    EXPECT_TRUE(contains(message_of([&] { texts(path); }), "UTF-16")) << bytes;
    EXPECT_EQ(texts(path, {TextDocuments::line, BrokenRows::stop, TextEncoding::utf16}), expected);
  }
  const Path bare = write("bare.txt", big.substr(2, 8));
  EXPECT_TRUE(contains(message_of([&] { texts(bare); }), "encoding=utf-16-be"));
  EXPECT_EQ(texts(bare, {TextDocuments::line, BrokenRows::stop, TextEncoding::utf16_be}), Texts{"gr\u00fc"});
  const Path rows =
      write("a.jsonl.gz",
            testing_compression::gzip(std::string("\xff\xfe{\0\"\0t\0e\0x\0t\0\"\0:\0\"\0x\0\"\0}\0", 26)));
  EXPECT_EQ(texts(rows, {.encoding = TextEncoding::utf16}), Texts{"x"});
  const auto broken = [&](const std::string& bytes) {
    return message_of([&] { texts(write("b.txt", bytes), {.encoding = TextEncoding::utf16_le}); });
  };
  EXPECT_TRUE(contains(broken(std::string("a\0b", 3)), "at byte 3"));
  EXPECT_TRUE(contains(broken(std::string("a\0\x3d\xd8z\0", 6)), "surrogate"));
}

TEST_F(WrongBytesTest, WindowsLettersAreConverted) {
  const Path path = write("a.txt", "\x80\xe9\x99");
  EXPECT_EQ(texts(path, {.encoding = TextEncoding::windows1252}), Texts{"\u20ac\u00e9\u2122"});
  EXPECT_THROW(texts(write("b.txt", "\x81"), {.encoding = TextEncoding::windows1252}), Error);
}

TEST_F(WrongBytesTest, TextInAnotherEncodingIsReadFromAnyPlace) {
  std::string bytes;
  for (int i = 0; i < 40000; ++i) bytes += "\xfc" + std::to_string(i) + "\n";
  const Path path = write("a.txt", bytes);
  const DocumentFormat format{TextDocuments::line, BrokenRows::stop, TextEncoding::latin1};
  const auto whole = open_documents(path, format);
  Document expected, found;
  for (int i = 0; i < 30000; ++i) ASSERT_TRUE(whole->next(expected));
  const auto rest = open_documents(path, format, whole->place());
  ASSERT_TRUE(whole->next(expected) && rest->next(found));
  EXPECT_EQ(found.text, "\u00fc30000");
  EXPECT_EQ(found.line, expected.line);
}

TEST_F(WrongBytesTest, UnknownHeadersAreRefused) {
  std::string header = shard_header(2, 2);
  header[4] = 2;
  const std::string message = shard_error(header + raw_bytes<uint16_t>({7, 8}));
  EXPECT_TRUE(contains(message, "20240520")) << message;
  EXPECT_TRUE(contains(message, "version 2")) << message;
  header = shard_header(2, 4);
  header[4] = 1;
  EXPECT_TRUE(contains(shard_error(header + raw_bytes<uint32_t>({7, 8})), "version 1"));
  EXPECT_TRUE(contains(shard_error("\x93NUMPY\1\0"), "NumPy"));
}

TEST_F(WrongBytesTest, IdsOfFourBytesAreNotReadAsTwo) {
  const std::string wide = raw_bytes<uint32_t>({5, 9, 1, 700, 2});
  EXPECT_TRUE(contains(shard_error(wide), "token_dtype=uint32"));
  EXPECT_EQ(shard_error(wide, TokenDtype::uint16), "");
  const auto file = TokenFile::open_shard(write("b.bin", wide), TokenDtype::uint32);
  ASSERT_EQ(file->num_tokens(), 5);
  int64_t ids[5], labels[5];
  file->read(0, 5, ids, labels);
  EXPECT_EQ(ids[3], 700);
  EXPECT_TRUE(contains(shard_error(raw_bytes<uint16_t>({1, 2, 3}), TokenDtype::uint32), "4 bytes"));
  EXPECT_TRUE(contains(shard_error(shard_header(1, 2) + "ab", TokenDtype::uint32), "2 bytes"));
  EXPECT_EQ(shard_error(raw_bytes<uint16_t>({1, 0, 3, 0, 5, 6, 7, 8})), "");
}

TEST_F(WrongBytesTest, IdsAreComparedWithTheVocabularyAtOnce) {
  std::vector<uint16_t> ids(200000, 63);
  EXPECT_EQ(dataset_error("a.bin", raw_bytes(ids)), "");
  ids[150000] = 64;
  const std::string message = dataset_error("b.bin", raw_bytes(ids));
  EXPECT_TRUE(contains(message, "b.bin] token 150000: expected ids from 0 to 63, given 64")) << message;
  EXPECT_TRUE(contains(message, "token_dtype")) << message;
}

TEST_F(WrongBytesTest, RowsOutsideTheVocabularyAreNamedByTheirLine) {
  const std::string good = "{\"input_ids\":[1,2],\"labels\":[-100,2]}\n";
  const auto error = [&](const std::string& row) {
    return dataset_error("a.jsonl", good + "\n" + good + row);
  };
  EXPECT_EQ(error(""), "");
  EXPECT_TRUE(
      contains(error("{\"input_ids\":[1,64],\"labels\":[1,1]}"), "a.jsonl:4] expected ids from 0 to 63"));
  EXPECT_TRUE(contains(
      error("{\"input_ids\":[1,2],\"labels\":[1,999]}"),
      "a.jsonl:4] expected labels from 0 to 63, or -100 for tokens that are not learned, given 999"));
  EXPECT_TRUE(contains(error("{\"input_ids\":[1,2],\"labels\":[1,-1]}"), "given -1"));
}

TEST_F(WrongBytesTest, RowsWithoutALabelAreCounted) {
  const std::string masked = "{\"input_ids\":[1,2,3],\"labels\":[-100,-100,-100]}\n",
                    late = "{\"input_ids\":[1,2,3],\"labels\":[-100,-100,3]}\n",
                    first = "{\"input_ids\":[1,2],\"labels\":[1,-100]}\n";
  EXPECT_TRUE(contains(dataset_error("a.jsonl", masked + masked + first), "no row has a label that counts"));
  EXPECT_EQ(dataset_error("b.jsonl", late + masked + late), "");
  EXPECT_TRUE(contains(notes_, "1 of 3 rows")) << notes_;
  EXPECT_TRUE(contains(notes_, "b.jsonl:2")) << notes_;
  EXPECT_TRUE(contains(dataset_error("c.jsonl", late + late, 2), "within max_length=2"));
}

TEST_F(WrongBytesTest, TokenizersAreTrainedOnTheTextOfRows) {
  const auto lines = [](const Path& path) {
    std::string all;
    const auto text = open_training_text(path);
    for (std::string line; text->next(line);) all += line + (text->had_line_end() ? "\n" : "|");
    return all;
  };
  EXPECT_EQ(lines(write("a.jsonl", "{\"text\":\"a\\nb\"}\n{\"text\":\"\\u00e9\"}\n")), "a\nb|\u00e9|");
  EXPECT_EQ(lines(write("b.json.gz", testing_compression::gzip("[{\"text\":\"a\\n\"}, {\"text\":\"b\"}]"))),
            "a\nb|");
  EXPECT_EQ(lines(write("c.txt", "a\n\nb")), "a\n\nb|");
  EXPECT_TRUE(contains(message_of([&] { lines(write("d.txt", "a\n\xff")); }), "d.txt:2]"));
  EXPECT_TRUE(contains(message_of([&] { lines(write("e.jsonl", "{\"input_ids\":[1]}")); }), "e.jsonl:1]"));
  EXPECT_THROW(lines(write("f.bin", "ab")), Error);
}

TEST_F(WrongBytesTest, AJsonListIsReadRowByRow) {
  const std::string pretty = " [\n  {\"text\": \"a ] \\\"}\",\n   \"n\": [{}]},\n  {\"text\": \"b\"}, 7\n";
  const Path path = write("a.json", pretty.substr(0, pretty.size() - 4) + "\n]\n");
  EXPECT_EQ(texts(path), (Texts{"a ] \"}", "b"}));
  const auto reader = open_documents(path);
  Document document;
  ASSERT_TRUE(reader->next(document));
  EXPECT_EQ(document.line, 2);
  const auto rest = open_documents(path, {}, reader->place());
  ASSERT_TRUE(rest->next(document));
  EXPECT_EQ(document.text, "b");
  EXPECT_EQ(document.line, 4);
  EXPECT_FALSE(rest->next(document));
  const auto error = [&](const std::string& bytes) {
    return message_of([&] { texts(write("b.json", bytes)); });
  };
  EXPECT_TRUE(contains(error(pretty), "b.json:4] expected a list of JSON objects, given '7'"));
  EXPECT_TRUE(contains(error("[{\"text\":\"a\"}"), "expected ']'"));
  EXPECT_TRUE(contains(error("[{\"text\":\"a\"} {}]"), "expected ',' or ']'"));
  EXPECT_TRUE(contains(error("[{\"text\":\"a\"}]\nx"), "behind the list"));
  EXPECT_TRUE(contains(error("[\n{\"a\":1}]"), "b.json:2, row 1]"));
  EXPECT_EQ(texts(write("c.json", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n")), (Texts{"a", "b"}));
  EXPECT_TRUE(contains(message_of([&] { texts(write("d.jsonl", "[{\"text\":\"a\"}]")); }), ".json file"));
}

}  // namespace
}  // namespace galore
