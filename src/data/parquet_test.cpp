#include "data/parquet.h"

#include <ATen/ATen.h>
#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <parquet/arrow/writer.h>

#include "core/errors.h"
#include "core/memory.h"
#include "data/data_test.h"
#include "data/stream_source.h"
#include "data/token_dataset.h"

namespace galore {
namespace {

using arrow::Compression;
using Ids = std::vector<int64_t>;

void expect_ok(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

std::shared_ptr<arrow::Array> finished(arrow::ArrayBuilder& builder) {
  std::shared_ptr<arrow::Array> array;
  expect_ok(builder.Finish(&array));
  return array;
}

template <typename Builder = arrow::StringBuilder>
std::shared_ptr<arrow::Array> strings(const std::vector<std::optional<std::string>>& values) {
  Builder builder;
  for (const auto& value : values) expect_ok(value ? builder.Append(*value) : builder.AppendNull());
  return finished(builder);
}

template <typename Number = arrow::Int64Builder, typename List = arrow::ListBuilder>
std::shared_ptr<arrow::Array> lists(const std::vector<std::optional<Ids>>& values) {
  const auto numbers = std::make_shared<Number>();
  List builder(arrow::default_memory_pool(), numbers);
  for (const auto& value : values) {
    expect_ok(value ? builder.Append() : builder.AppendNull());
    if (!value) continue;
    for (const int64_t id : *value) expect_ok(numbers->Append(static_cast<typename Number::value_type>(id)));
  }
  return finished(builder);
}

struct Column {
  std::string name;
  std::shared_ptr<arrow::Array> values;
};

std::string parquet_bytes(const std::vector<Column>& columns, int64_t group_rows = 100,
                          Compression::type compression = Compression::SNAPPY) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const Column& column : columns) {
    fields.push_back(arrow::field(column.name, column.values->type()));
    arrays.push_back(column.values);
  }
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto properties = parquet::WriterProperties::Builder().compression(compression)->build();
  expect_ok(parquet::arrow::WriteTable(*arrow::Table::Make(arrow::schema(fields), arrays),
                                       arrow::default_memory_pool(), sink, group_rows, properties));
  return sink->Finish().ValueOrDie()->ToString();
}

std::string text_of(int i) {
  return i % 11 == 5 ? ""
                     : fmt::format("{} caf\u00e9 \\\"\n{}", i, std::string(static_cast<size_t>(i) % 31, 'x'));
}

class ParquetTest : public DataTest {
 protected:
  struct Found {
    std::string text, fault;
    std::vector<int32_t> ids, labels;
    bool tokenized, has_labels;
    auto operator<=>(const Found&) const = default;
  };
  static Found found(const Document& document) {
    return {document.text,   document.fault,     document.ids,
            document.labels, document.tokenized, document.has_labels};
  }
  std::vector<Found> read(const Path& path, BrokenRows broken = BrokenRows::stop) {
    std::vector<Found> all;
    Document document;
    for (const auto reader = open_documents(path, {.broken_rows = broken}); reader->next(document);)
      all.push_back(found(document));
    return all;
  }
  std::string complaint(const std::string& bytes) {
    const Path path = write("rows.parquet", bytes);
    return message_of([&] { read(path); });
  }
  // Writes the same 1000 texts, some of them empty, as a .jsonl and as a .parquet file.
  void write_texts(int64_t group_rows, Compression::type compression = Compression::SNAPPY) {
    std::vector<std::optional<std::string>> texts;
    std::string rows;
    for (int i = 0; i < 1000; ++i) {
      texts.push_back(text_of(i));
      std::string escaped;
      for (const char c : text_of(i))
        escaped += c == '\n' ? "\\n" : c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
      rows += "{\"text\":\"" + escaped + "\"}\n";
    }
    write("texts.jsonl", rows);
    write("texts.parquet",
          parquet_bytes({{"id", lists({1000, Ids{1}})}, {"text", strings(texts)}}, group_rows, compression));
  }

  const ByteTokenizer tokenizer_;
};

TEST_F(ParquetTest, RowsAreThoseOfAJsonlForEveryCompressionAndGroup) {
  for (const auto compression :
       {Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP, Compression::ZSTD})
    for (const int64_t group_rows : {1, 7, 300, 2000}) {
      write_texts(group_rows, compression);
      EXPECT_EQ(read(folder_ / "texts.parquet"), read(folder_ / "texts.jsonl")) << group_rows;
    }
}

TEST_F(ParquetTest, IdsAndLabelsOfEveryWidth) {
  const std::vector<std::optional<Ids>> ids{Ids{1, 2}, Ids{}, Ids{7, 8, 9}},
      labels{Ids{-100, 2}, Ids{}, Ids{-100, -100, 9}};
  const auto expected =
      read(write("ids.jsonl",
                 "{\"input_ids\":[1,2],\"labels\":[-100,2]}\n{\"input_ids\":[],\"labels\":[]}\n"
                 "{\"input_ids\":[7,8,9],\"labels\":[-100,-100,9]}\n"));
  ASSERT_EQ(expected.size(), 2u);
  const auto narrow = lists<arrow::Int32Builder>(labels), wide = lists(labels);
  for (const auto& column : {lists(ids), lists<arrow::Int32Builder>(ids), lists<arrow::UInt16Builder>(ids),
                             lists<arrow::UInt32Builder>(ids), lists<arrow::Int16Builder>(ids),
                             lists<arrow::Int32Builder, arrow::LargeListBuilder>(ids)})
    for (const auto& targets : {narrow, wide})
      EXPECT_EQ(read(write("ids.parquet", parquet_bytes({{"labels", targets},
                                                         {"text", strings({"a", "b", "c"})},
                                                         {"input_ids", column}}))),
                expected)
          << column->type()->ToString();
  const auto plain = read(write("plain.parquet", parquet_bytes({{"input_ids", lists(ids)}})));
  ASSERT_EQ(plain.size(), 2u);
  EXPECT_FALSE(plain[1].has_labels);
  for (const auto& texts :
       {strings<arrow::LargeStringBuilder>({"a", "b"}), strings<arrow::BinaryBuilder>({"a", "b"})})
    EXPECT_EQ(read(write("t.parquet", parquet_bytes({{"text", texts}}))).at(1).text, "b");
}

TEST_F(ParquetTest, BrokenRowsNameFileAndRow) {
  const auto expect = [&](const std::vector<Column>& columns, const std::string& message) {
    const std::string said = complaint(parquet_bytes(columns, 1));
    EXPECT_NE(said.find("rows.parquet:2] " + message), std::string::npos) << said << " for " << message;
  };
  expect({{"text", strings({"a", std::nullopt})}}, "text: expected a string, given null");
  expect({{"text", strings<arrow::BinaryBuilder>({"a", "\xff"})}}, "text: expected UTF-8");
  expect({{"input_ids", lists({Ids{1}, std::nullopt})}},
         "input_ids: expected a list of whole numbers, given null");
  expect({{"input_ids", lists({Ids{1}, Ids{1, int64_t{1} << 31}})}},
         "input_ids: expected whole numbers of 32 bits");
  expect({{"input_ids", lists({Ids{1}, Ids{1}})}, {"labels", lists({Ids{1}, Ids{1, 2}})}},
         "expected as many labels as input_ids, given 2 and 1");
  expect({{"input_ids", lists({Ids{1}, Ids{1}})}, {"labels", lists({Ids{1}, std::nullopt})}},
         "labels: expected a list of whole numbers, given null");
  const std::string first = complaint(parquet_bytes({{"text", lists({Ids{1}})}}));
  EXPECT_NE(first.find("rows.parquet:1] text: expected a string, given list<"), std::string::npos) << first;
  const std::string floats = complaint(parquet_bytes({{"input_ids", lists<arrow::DoubleBuilder>({Ids{1}})}}));
  EXPECT_NE(
      floats.find("rows.parquet:1] input_ids: expected whole numbers of 16, 32 or 64 bits, given double"),
      std::string::npos)
      << floats;
  const std::string column = complaint(parquet_bytes({{"txt", strings({"a"})}, {"n", strings({"a"})}}));
  EXPECT_NE(column.find("expected a column 'text' or 'input_ids'; the file has 'txt', 'n'"),
            std::string::npos)
      << column;
}

TEST_F(ParquetTest, BrokenRowsAreLeftOutAndCounted) {
  const Path path =
      write("a.parquet", parquet_bytes({{"text", strings({"a", std::nullopt, "b", std::nullopt})}}, 3));
  const auto rows = read(path, BrokenRows::skip);
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[2].text, "b");
  EXPECT_NE(rows[3].fault.find("a.parquet:4] text"), std::string::npos) << rows[3].fault;
  std::vector<std::string> said;
  TokenizationOptions options;
  options.broken_rows = BrokenRows::skip;
  const TokenDataset dataset({{path.string()}, folder_ / "cache", options}, &tokenizer_,
                             [&](const std::string& line) { said.push_back(line); });
  EXPECT_EQ(dataset.num_documents(), 2);
  EXPECT_NE(said.back().find("left out 2 broken rows"), std::string::npos) << said.back();
}

TEST_F(ParquetTest, AnyPlaceIsABeginning) {
  for (const int64_t group_rows : {1, 7, 300, 2000}) {
    write_texts(group_rows);
    const Path path = folder_ / "texts.parquet";
    const auto whole = open_documents(path);
    Document expected, document;
    for (int i = 0;; ++i) {
      const TextPlace place = whole->place();
      const double share = whole->share();
      const bool more = whole->next(expected);
      if (i % 37 && more) continue;
      const auto rest = open_documents(path, {}, place);
      EXPECT_EQ(rest->share(), share);
      ASSERT_EQ(rest->next(document), more) << i;
      if (!more) break;
      EXPECT_EQ(found(document), found(expected)) << i;
      EXPECT_EQ(document.line, expected.line);
      EXPECT_EQ(rest->place(), whole->place());
    }
    EXPECT_EQ(whole->share(), 1);
    EXPECT_NE(message_of([&] {
                open_documents(path, {TextDocuments::file}, {1001, 0, false});
              }).find("expected at least 1001 rows, the file has 1000"),
              std::string::npos);
  }
}

// A Parquet file gives the batches of the equal .jsonl file, both cached and streamed, and also after
// resuming in the middle with any number of workers.
TEST_F(ParquetTest, BatchesAreThoseOfAJsonl) {
  write_texts(90);
  StreamOptions stream;
  stream.buffer_size = 50;
  stream.batches.rows = 3, stream.batches.max_length = 16;
  stream.tokenization.separator = 257;
  const auto source = [&](const char* name) {
    stream.files = {(folder_ / name).string()};
    return std::make_unique<StreamBatchSource>(stream, &tokenizer_);
  };
  const auto rows = source("texts.jsonl"), columns = source("texts.parquet");
  for (int i = 0; columns->position().epoch < 2; ++i) {
    const Batch expected = *rows->next();
    const DataPosition position = columns->position();
    ASSERT_TRUE(at::equal(columns->next()->ids, expected.ids)) << i;
    if (i % 100 != 99) continue;
    stream.workers = i / 100 % 3;
    const auto resumed = source("texts.parquet");
    resumed->seek(position);
    ASSERT_TRUE(at::equal(resumed->next()->ids, expected.ids)) << i;
    EXPECT_EQ(resumed->position(), columns->position());
  }
  const auto cached = [&](const char* name) {
    const auto data = std::make_shared<TokenDataset>(
        DatasetOptions{{(folder_ / name).string()}, folder_ / "cache", stream.tokenization}, &tokenizer_);
    std::vector<int64_t> ids(static_cast<size_t>(data->num_tokens())), labels(ids.size());
    data->read(0, data->num_tokens(), ids.data(), labels.data());
    return ids;
  };
  EXPECT_EQ(cached("texts.parquet"), cached("texts.jsonl"));
}

// A file that is cut off or altered gives rows or an Error.
TEST_F(ParquetTest, DamagedFilesAreErrors) {
  std::vector<std::optional<std::string>> texts(40, "some text");
  std::vector<std::optional<Ids>> ids(40, Ids{1, 2, 3});
  for (const auto& bytes :
       {parquet_bytes({{"text", strings(texts)}}, 20), parquet_bytes({{"input_ids", lists(ids)}}, 20)}) {
    for (size_t length = 0; length < bytes.size(); length += 29)
      EXPECT_NE(complaint(bytes.substr(0, length)).find("rows.parquet]"), std::string::npos) << length;
    for (size_t at = 0; at < bytes.size(); ++at) {
      std::string altered = bytes;
      altered[at] = static_cast<char>(~altered[at]);
      const std::string said = complaint(altered);
      EXPECT_EQ(said.find('\n'), std::string::npos) << said;
    }
  }
  EXPECT_NE(complaint("{\"text\":\"a\"}\n").find("the Parquet file is damaged"), std::string::npos);
  EXPECT_EQ(complaint(parquet_bytes({{"text", strings({})}})), "");
  EXPECT_NE(message_of([&] { read(folder_ / "none.parquet"); }).find("none.parquet"), std::string::npos);
}

// The file has one row group of 64 MB, of which only some pages may be in memory at a time.
TEST_F(ParquetTest, MemoryIsBounded) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer keeps what is freed";
#endif
  {
    std::vector<std::optional<std::string>> texts;
    for (int i = 0; i < 320000; ++i) texts.push_back(fmt::format("{} {}", i, std::string(200, 'x')));
    write("large.parquet", parquet_bytes({{"text", strings(texts)}}, 1 << 20, Compression::UNCOMPRESSED));
  }
  arrow::default_memory_pool()->ReleaseUnused();
  const auto reader = open_documents(folder_ / "large.parquet");
  Document document;
  ASSERT_TRUE(reader->next(document));
  const int64_t before = resident_bytes();
  int64_t most = before, rows = 1;
  for (; reader->next(document); ++rows)
    if (rows % 1000 == 0) most = std::max(most, resident_bytes());
  EXPECT_EQ(rows, 320000);
  EXPECT_LT(most - before, 12 << 20);
}

}  // namespace
}  // namespace galore
