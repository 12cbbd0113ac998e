#include "data/documents.h"

#include "core/test_compression.h"
#include "data/data_test.h"

namespace galore {
namespace {

class DocumentsTest : public DataTest {
 protected:
  std::vector<std::string> texts(const Path& path, TextDocuments kind) {
    std::vector<std::string> all;
    Document document;
    for (const auto reader = open_documents(path, {kind}); reader->next(document);)
      all.push_back(document.text);
    return all;
  }
  std::string row_error(const std::string& row) {
    const Path path = write("rows.jsonl", "{\"text\":\"a\"}\n\n" + row + "\n");
    return message_of([&] { texts(path, TextDocuments::line); });
  }
};

using Texts = std::vector<std::string>;

TEST_F(DocumentsTest, TextIsCutAsAsked) {
  const Path path = write("a.txt", "\xef\xbb\xbfone\ntwo\r\n\n \nthree\n\n\nfour");
  EXPECT_EQ(texts(path, TextDocuments::paragraph), (Texts{"one\ntwo", "three", "four"}));
  EXPECT_EQ(texts(path, TextDocuments::line), (Texts{"one", "two", "three", "four"}));
  EXPECT_EQ(texts(path, TextDocuments::file), (Texts{"one\ntwo\n\n \nthree\n\n\nfour"}));
  EXPECT_TRUE(texts(write("empty.txt", ""), TextDocuments::paragraph).empty());
  EXPECT_TRUE(texts(write("blank.txt", "\n\n \n"), TextDocuments::line).empty());
}

TEST_F(DocumentsTest, NothingIsLostAcrossBlocksAndPieces) {
  std::string text;
  for (int i = 0; text.size() < (3u << 20); ++i) text += fmt::format("{} \xe4\xbd\xa0\xe5\xa5\xbd ", i);
  EXPECT_EQ(texts(write("long.txt", text), TextDocuments::line), (Texts{text}));
  std::string joined;
  for (const auto& part :
       texts(write("huge.txt", text + text + text + text + text + text), TextDocuments::file)) {
    EXPECT_LE(part.size(), kLargestDocument + (1u << 20));
    joined += part;
  }
  EXPECT_EQ(joined, text + text + text + text + text + text);
}

TEST_F(DocumentsTest, RowsOfTextAndIds) {
  const Path path =
      write("rows.jsonl",
            "{\"text\": \"caf\\u00e9\", \"id\": 3}\r\n{\"text\": \"\"}\n{\"input_ids\": [1, 2]}\n"
            "{\"input_ids\": [3, 4], \"labels\": [-100, 4]}");
  const auto reader = open_documents(path);
  Document document;
  ASSERT_TRUE(reader->next(document));
  EXPECT_EQ(document.text, "caf\u00e9");
  ASSERT_TRUE(reader->next(document));
  EXPECT_EQ(document.ids, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(document.line, 3);
  EXPECT_FALSE(document.has_labels);
  ASSERT_TRUE(reader->next(document));
  EXPECT_EQ(document.labels, (std::vector<int32_t>{-100, 4}));
  EXPECT_FALSE(reader->next(document));
}

TEST_F(DocumentsTest, MaskedTokensAreLeftOut) {
  const auto reader =
      open_documents(write("rows.jsonl", R"({"input_ids": [0, 3, 4, 0], "labels": [-100, -100, 4, 0], )"
                                         R"("attention_mask": [0, 1, 1, 0]})"));
  Document document;
  ASSERT_TRUE(reader->next(document));
  EXPECT_EQ(document.ids, (std::vector<int32_t>{3, 4}));
  EXPECT_EQ(document.labels, (std::vector<int32_t>{-100, 4}));
  EXPECT_NE(row_error(R"({"input_ids": [1, 2], "attention_mask": [1]})").find("attention_mask"),
            std::string::npos);
}

TEST_F(DocumentsTest, BrokenRowsNameFileAndLine) {
  for (const char* row : {"{\"text\": \"a\"", "[1]", "{\"text\": 3}", "{\"txt\": \"a\"}",
                          "{\"input_ids\": 3}", "{\"input_ids\": [1.5]}", "{\"input_ids\": [99999999999]}",
                          "\xff\xfe", "{\"input_ids\": [1], \"labels\": [1, 2]}", "{\"text\": \"\xff\"}"})
    EXPECT_NE(row_error(row).find("rows.jsonl:3"), std::string::npos) << row << ": " << row_error(row);
  EXPECT_NE(row_error("{\"txt\": \"a\"}").find("'txt'"), std::string::npos);
  EXPECT_EQ(row_error(""), "");
  EXPECT_NE(message_of([&] { open_documents(write("a.parquet", "x"), {TextDocuments::line}); }), "");
}

// Python's json module writes NaN and has integers of any length.
TEST_F(DocumentsTest, NumbersOfPythonInOtherColumnsDoNotMatter) {
  const Path path =
      write("rows.jsonl",
            "{\"a\": NaN, \"text\": \"-Infinity \\\" 123456789012345678901\", \"b\": [-Infinity]}\n"
            "{\"id\": -123456789012345678901234, \"text\": \"two\", \"c\": 1234567890123456789.5}\n");
  EXPECT_EQ(texts(path, TextDocuments::line), (Texts{"-Infinity \" 123456789012345678901", "two"}));
  EXPECT_NE(row_error(R"({"input_ids": [123456789012345678901]})").find("whole numbers"), std::string::npos);
  EXPECT_NE(row_error(R"({"input_ids": [NaN]})").find("whole numbers"), std::string::npos);
}

TEST_F(DocumentsTest, HalfOfASurrogatePairIsNamed) {
  EXPECT_NE(row_error(R"({"text": "a \\ \ud83d b"})").find("surrogate"), std::string::npos);
  EXPECT_NE(row_error(R"({"text": "\ude00"})").find("surrogate"), std::string::npos);
  EXPECT_EQ(texts(write("pair.jsonl", R"({"text": "\ud83d\ude00"})"), TextDocuments::line),
            (Texts{"\xf0\x9f\x98\x80"}));
  EXPECT_EQ(row_error(R"({"text": "\\ud83d", "b": })").find("surrogate"), std::string::npos);
}

// A list may stand in one line, so the number of the row is named, too.
TEST_F(DocumentsTest, BrokenRowsOfAListAreNumbered) {
  const Path path = write("list.json", R"([{"text": "a"}, {"text": 3}])");
  EXPECT_NE(message_of([&] { texts(path, TextDocuments::line); }).find("list.json:1, row 2]"),
            std::string::npos);
}

TEST_F(DocumentsTest, CompressedFilesAreReadAsTheyAre) {
  const std::string rows = "{\"text\":\"one\"}\n{\"text\":\"two\"}\n";
  for (const Path& path : {write("a.jsonl.gz", testing_compression::gzip(rows)),
                           write("a.jsonl.zst", testing_compression::zstd(rows))}) {
    EXPECT_TRUE(is_json_rows(path));
    EXPECT_EQ(texts(path, TextDocuments::paragraph), (Texts{"one", "two"})) << path;
  }
  EXPECT_EQ(texts(write("b.txt.gz", testing_compression::gzip("x\n\ny")), TextDocuments::paragraph),
            (Texts{"x", "y"}));
}

// A reader that starts at the place of another reader finds the same documents, with the same line numbers.
TEST_F(DocumentsTest, AnyPlaceIsABeginning) {
  std::string text = "\xef\xbb\xbf", rows;
  for (int i = 0; i < 400; ++i) {
    text += std::string(static_cast<size_t>(i) * 37 % 9000, 'x') + "\xc3\xa9\r\n" + (i % 3 ? "" : " \n\n");
    rows += fmt::format("{{\"text\":\"{} {}\"}}\n{}", i, std::string(static_cast<size_t>(i) * 41 % 9000, 'y'),
                        i % 7 ? "" : "\n");
  }
  // Readers split the file within this line, between characters.
  while (text.size() < (40u << 20)) text += "\xe4\xbd\xa0";
  using testing_compression::gzip, testing_compression::zstd;
  for (const Path& path :
       {write("a.txt", text), write("a.txt.gz", gzip(text)), write("a.txt.zst", zstd(text)),
        write("a.jsonl", rows), write("a.jsonl.gz", gzip(rows))})
    for (const TextDocuments kind : {TextDocuments::paragraph, TextDocuments::line, TextDocuments::file}) {
      const auto whole = open_documents(path, {kind});
      Document expected, found;
      for (int i = 0; whole->next(expected); ++i) {
        const TextPlace place = whole->place();
        const double share = whole->share();
        if (i % 50 != 3 && expected.text.size() < (1u << 20)) continue;
        const auto rest = open_documents(path, {kind}, place);
        ASSERT_EQ(whole->next(expected), rest->next(found)) << path << " " << i;
        EXPECT_TRUE(expected.text == found.text) << path << " " << i;
        EXPECT_EQ(expected.line, found.line);
        EXPECT_EQ(whole->place(), rest->place());
        EXPECT_EQ(whole->share(), rest->share()) << share;
      }
      EXPECT_EQ(whole->share(), 1);
    }
}

TEST_F(DocumentsTest, BrokenRowsAreLeftOutAndCounted) {
  const Path path = write("rows.jsonl",
                          "{\"text\":\"one\"}\n{\"text\": 3}\nno row\n{\"text\":\"two\"}\n{\"input_ids\":[1],"
                          "\"labels\":[]}\n");
  const auto reader = open_documents(path, {TextDocuments::line, BrokenRows::skip});
  std::vector<std::string> found;
  SkippedRows broken;
  for (Document document; reader->next(document);) {
    EXPECT_EQ(document.fault.empty(), !document.text.empty());
    document.fault.empty() ? found.push_back(document.text) : broken.add(document.fault);
  }
  EXPECT_EQ(found, (Texts{"one", "two"}));
  EXPECT_EQ(broken.count, 3);
  EXPECT_NE(broken.first.find("rows.jsonl:2"), std::string::npos) << broken.first;
}

}  // namespace
}  // namespace galore
