#include "data/stream_source.h"

#include <ATen/ATen.h>

#include <map>
#include <set>

#include "core/memory.h"
#include "core/test_compression.h"
#include "data/prefetch.h"
#include "data/row_batch_source.h"
#include "data/test_batches.h"

namespace galore {
namespace {

using testing_compression::gzip, testing_compression::zstd;

class StreamTest : public DataTest {
 protected:
  // Writes three files, one for each kind of compression, with documents of different lengths.
  StreamOptions options(bool packing, int64_t buffer_size = 7) {
    std::string text, rows, ids;
    for (int i = 0; i < 60; ++i) {
      text += fmt::format("{} {}\n{}", i, std::string(static_cast<size_t>(i) % 23, 'a'),
                          i % 4 ? "\n" : "more\n\n");
      rows += fmt::format("{{\"text\":\"{}{}\"}}\n{}", i, std::string(static_cast<size_t>(i) % 17, 'b'),
                          i % 5 ? "" : " \n");
      ids += fmt::format("{{\"input_ids\":[{},{}]}}\n", i, i + 1);
    }
    write("1.txt", text);
    write("2.jsonl.gz", gzip(rows));
    write("3.jsonl.zst", zstd(ids));
    StreamOptions stream;
    stream.files = {(folder_ / "[1-3].*").string()};
    stream.buffer_size = buffer_size;
    stream.batches.rows = 3, stream.batches.max_length = 16,
    stream.batches.packing = packing ? Packing::joined : Packing::none;
    stream.batches.pad_id = 300;
    if (packing) stream.tokenization.separator = 257;
    return stream;
  }
  std::unique_ptr<StreamBatchSource> source(const StreamOptions& options) {
    return std::make_unique<StreamBatchSource>(options, &tokenizer_);
  }
  // Returns the rows of the equal indexed data set in order.
  std::vector<Row> indexed(const StreamOptions& stream, bool evaluation) {
    const DatasetOptions files{stream.files, folder_ / "cache", stream.tokenization};
    BatchOptions batches = stream.batches;
    batches.evaluation = evaluation;
    batches.shuffle = false;
    RowBatchSource all(std::make_shared<TokenDataset>(files, &tokenizer_), batches);
    if (evaluation) return take_rows(all, 1000);
    batches.rows = all.rows_per_epoch();
    RowBatchSource epoch(std::make_shared<TokenDataset>(files, &tokenizer_), batches);
    return take_rows(epoch, 1);
  }
  std::string complaint(const StreamOptions& stream) {
    return message_of([&] { take_rows(*source(stream), 1000); });
  }

  const ByteTokenizer tokenizer_{};
};

// Rows 0, 3, 6, ... have no label within max_length.
TEST_F(StreamTest, RowsWithoutALabelThatCountsAreLeftOut) {
  std::string labelled;
  for (int i = 0; i < 20; ++i)
    labelled += fmt::format(R"({{"input_ids":[{0},{0},{0},7],"labels":[5,{1},-100,7]}})"
                            "\n",
                            i, i % 3 ? i : -100);
  for (const Packing packing : {Packing::isolated, Packing::none}) {
    StreamOptions stream;
    stream.files = {write("labels.jsonl", labelled).string()};
    stream.batches.rows = 2, stream.batches.max_length = 3, stream.batches.packing = packing;
    stream.batches.evaluation = stream.batches.leave_out_untrained = true;
    const auto rows = take_rows(*source(stream), 1000);
    EXPECT_EQ(rows.size(), 13u);
    for (const Row& row : rows) EXPECT_NE(row.front() % 3, 0);
    EXPECT_EQ(rows, indexed(stream, true));
    stream.batches.max_samples = 8;  // rows 1, 2, 4, 5 and 7
    EXPECT_EQ(take_rows(*source(stream), 1000), indexed(stream, true));
    EXPECT_EQ(indexed(stream, true).size(), 5u);
    EXPECT_EQ(indexed(stream, false).size(), 5u);
    stream.batches.max_samples = 1;
    EXPECT_NE(complaint(stream).find("no row of " + stream.files[0] + " has a label that counts"),
              std::string::npos);
    EXPECT_NE(message_of([&] { indexed(stream, true); }).find("expected labels other than -100"),
              std::string::npos);
  }
}

TEST_F(StreamTest, InOrderItGivesTheRowsOfAnIndexedDataSet) {
  for (const bool packing : {true, false}) {
    StreamOptions stream = options(packing);
    stream.batches.evaluation = true;
    EXPECT_EQ(take_rows(*source(stream), 1000), indexed(stream, true)) << packing;
    stream.batches.max_samples = 33;
    EXPECT_EQ(take_rows(*source(stream), 1000), indexed(stream, true)) << packing;
    stream.batches.evaluation = stream.batches.shuffle = false;
    const auto epoch = indexed(stream, false);
    stream.batches.rows = static_cast<int64_t>(epoch.size());
    const auto training = source(stream);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(take_rows(*training, 1), epoch) << "epoch " << i;
  }
}

TEST_F(StreamTest, EveryEpochHasEveryRowOnceInFreshOrder) {
  for (const int64_t buffer : {1, 2, 7, 1000}) {
    StreamOptions stream = options(true, buffer);
    stream.batches.rows = 1;
    const auto expected = indexed(stream, false);
    const auto training = source(stream);
    std::set<std::vector<Row>> orders;
    for (int i = 0; i < 3; ++i) {
      const auto epoch = take_rows(*training, static_cast<int64_t>(expected.size()));
      EXPECT_EQ(std::multiset(epoch.begin(), epoch.end()), std::multiset(expected.begin(), expected.end()));
      EXPECT_EQ(epoch == expected, buffer == 1) << buffer;
      orders.insert(epoch);
    }
    EXPECT_EQ(orders.size(), buffer == 1 ? 1u : 3u) << buffer;
    EXPECT_LE(training->rows_held(), buffer);
    stream.batches.seed = 7;
    EXPECT_EQ(orders.contains(take_rows(*source(stream), static_cast<int64_t>(expected.size()))),
              buffer == 1);
  }
}

// Rows move only within their window, and every place in the window is equally likely.
TEST(ShuffleBuffer, ShufflesWithinItsWindows) {
  constexpr int64_t kCapacity = 64, kWindows = 200;
  int64_t read = 0;
  ShuffleBuffer buffer(kCapacity, 3, [&](StreamedRow& row) {
    row.place.row = read++;
    return true;
  });
  StreamedRow row;
  double correlation = 0;
  for (int64_t i = 0; i < kCapacity * kWindows; ++i) {
    ASSERT_TRUE(buffer.next(row));
    EXPECT_EQ(row.place.row / kCapacity, i / kCapacity);
    EXPECT_LE(read, i + kCapacity) << "no row is read before there is room for it";
    const auto from = static_cast<double>(row.place.row % kCapacity), to = static_cast<double>(i % kCapacity);
    correlation += (from / kCapacity - 0.5) * (to / kCapacity - 0.5) * 12;
  }
  // The correlation has the standard deviation 1 / sqrt(12800) = 0.009.
  EXPECT_LT(std::abs(correlation / (kCapacity * kWindows)), 0.04);
}

// After resuming from any batch of four epochs, with any number of workers, the same batches, positions and
// epochs follow.
TEST_F(StreamTest, AnEditOfEqualSizeIsAChange) {
  const StreamOptions stream = options(true, 7);
  const auto first = source(stream);
  take_rows(*first, 1);
  const DataPosition before = first->position();
  EXPECT_NO_THROW(source(stream)->seek(before));
  std::string text = read_file(folder_ / "1.txt");
  text.front() = 'x';
  write("1.txt", text);
  EXPECT_THROW(source(stream)->seek(before), Error);
}

TEST_F(StreamTest, ResumesExactlyFromEveryPosition) {
  for (const Packing packing : {Packing::joined, Packing::isolated, Packing::none})
    for (const int64_t buffer : {1, 7, 1000}) {
      StreamOptions stream = options(packing != Packing::none, buffer);
      stream.batches.packing = packing;
      const auto whole = source(stream);
      std::vector<DataPosition> positions{whole->position()};
      std::vector<double> epochs{0};
      std::vector<std::vector<Row>> batches;
      while (positions.back().epoch < 3 && positions.size() < 400) {
        batches.push_back(take_rows(*whole, 1));
        positions.push_back(whole->position());
        epochs.push_back(whole->epochs());
        EXPECT_GE(epochs.back(), epochs[epochs.size() - 2]);
      }
      EXPECT_EQ(positions.back().epoch, 3);
      for (size_t i = 0; i + 3 < batches.size(); i += packing == Packing::none ? 9 : 2) {
        stream.workers = static_cast<int64_t>(i) % 3;
        const auto resumed = source(stream);
        resumed->seek(positions[i]);
        EXPECT_EQ(resumed->epochs(), epochs[i]);
        for (size_t j = i; j < i + 3; ++j) {
          ASSERT_EQ(take_rows(*resumed, 1), batches[j]) << "batch " << j << ", from " << i;
          EXPECT_EQ(resumed->position(), positions[j + 1]);
          EXPECT_EQ(resumed->epochs(), epochs[j + 1]);
        }
      }
    }
}

TEST_F(StreamTest, PrefetchingChangesNothing) {
  const StreamOptions stream = options(true);
  const auto plain = source(stream);
  const auto expected = take_rows(*plain, 40);
  PrefetchSource ahead(source(stream));
  EXPECT_EQ(take_rows(ahead, 20), std::vector<Row>(expected.begin(), expected.begin() + 60));
  const DataPosition middle = ahead.position();
  take_rows(ahead, 3);
  ahead.seek(middle);
  EXPECT_EQ(take_rows(ahead, 20), std::vector<Row>(expected.begin() + 60, expected.end()));
  EXPECT_EQ(ahead.position(), plain->position());
  EXPECT_EQ(ahead.epochs(), plain->epochs());
}

TEST_F(StreamTest, TokenFilesAreCutInRows) {
  std::string tokens;
  for (int i = 0; i < 100; ++i) tokens += std::string{static_cast<char>(i), '\0'};
  for (const bool packing : {true, false}) {
    StreamOptions stream = options(packing);
    write("4.bin", tokens);
    stream.files = {(folder_ / "4.bin").string(), (folder_ / "3.jsonl.zst").string()};
    stream.batches.evaluation = true;
    EXPECT_EQ(take_rows(*source(stream), 1000), indexed(stream, true));
    stream.files.pop_back();
    stream.batches.evaluation = false;
    stream.batches.max_samples = 2;
    EXPECT_EQ(take_rows(*source(stream), 2).size(), 6u);
  }
}

TEST_F(StreamTest, TheFirstRowsAreHeldOut) {
  for (const bool packing : {true, false}) {
    StreamOptions stream = options(packing);
    stream.batches.rows = 1;
    const auto all = indexed(stream, false);
    const auto size = static_cast<int64_t>(all.size());
    stream.batches.val_size = 10;
    StreamOptions held_out = stream;
    stream.batches.split = DataSplit::train;
    held_out.batches.split = DataSplit::validation;
    held_out.batches.evaluation = true;
    const auto evaluation = source(held_out);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(take_rows(*evaluation, 1000), std::vector<Row>(all.begin(), all.begin() + 10));
      EXPECT_FALSE(evaluation->next());
      evaluation->seek({});
    }
    const auto training = source(stream);
    for (int i = 0; i < 2; ++i) {
      const auto epoch = take_rows(*training, size - 10);
      EXPECT_EQ(std::multiset(epoch.begin(), epoch.end()), std::multiset(all.begin() + 10, all.end()));
    }
    stream.batches.val_size = static_cast<double>(size);
    EXPECT_NE(complaint(stream).find("leaves no rows to train on"), std::string::npos) << complaint(stream);
  }
}

TEST_F(StreamTest, WhatCannotBeIsRefusedInOneLine) {
  StreamOptions stream = options(true);
  stream.batches.val_size = 0.1;
  stream.batches.split = DataSplit::train;
  EXPECT_NE(complaint(stream).find("val_size: expected a number of rows with streaming=true, given 0.1"),
            std::string::npos);
  stream = options(true);
  stream.batches.vocab_size = 257;
  EXPECT_NE(complaint(stream).find("1.txt:1] expected ids from 0 to 256, given 257"), std::string::npos)
      << complaint(stream);
  stream = options(true);
  stream.files = {write("blank.txt", "\n\n").string()};
  EXPECT_NE(complaint(stream).find("blank.txt holds no documents"), std::string::npos);
  stream.files = {write("mixed.jsonl", "{\"input_ids\":[1],\"labels\":[1]}\n{\"input_ids\":[1]}\n").string()};
  EXPECT_NE(complaint(stream).find("mixed.jsonl:2] expected 'labels' in every row or in none"),
            std::string::npos);
  stream.files = {write("broken.jsonl", "{\"text\":\"a\"}\n{\"text\":3}\n").string()};
  EXPECT_NE(complaint(stream).find("broken.jsonl:2"), std::string::npos);
  stream.files = {(folder_ / "broken.jsonl").string()};
  StreamBatchSource without(stream, nullptr);
  EXPECT_NE(message_of([&] { without.next(); }).find("tokenizer_name"), std::string::npos);
}

TEST_F(StreamTest, BrokenRowsAreLeftOutAndCountedOnce) {
  StreamOptions stream = options(false);
  stream.files = {
      write("a.jsonl", "{\"text\":\"a\"}\n{\"text\":3}\n{\"input_ids\":[258]}\n{\"text\":\"b\"}\n").string()};
  stream.tokenization.broken_rows = BrokenRows::skip;
  std::vector<std::string> said;
  StreamBatchSource training(stream, &tokenizer_, [&](const std::string& line) { said.push_back(line); });
  const auto rows = take_rows(training, 4);
  EXPECT_EQ(rows.size(), 12u);
  EXPECT_EQ(std::set(rows.begin(), rows.end()).size(), 2u);
  ASSERT_EQ(said.size(), 1u);
  EXPECT_NE(said[0].find("left out 2 broken rows; the first: ["), std::string::npos) << said[0];
}

TEST_F(StreamTest, APositionIsOneInTheseData) {
  const StreamOptions stream = options(true);
  const auto training = source(stream);
  take_rows(*training, 5);
  const DataPosition position = training->position();
  const auto complaint_at = [&](const StreamOptions& other, DataPosition at) {
    return message_of([&] { source(other)->seek(at); });
  };
  EXPECT_EQ(complaint_at(stream, position), "");
  for (const auto& change : std::vector<std::function<void(StreamOptions&)>>{
           [](StreamOptions& o) { o.buffer_size = 8; }, [](StreamOptions& o) { o.batches.max_length = 8; },
           [](StreamOptions& o) { o.batches.seed = 1; },
           [](StreamOptions& o) { o.batches.packing = Packing::none; },
           [](StreamOptions& o) { o.batches.max_samples = 9; }}) {
    StreamOptions other = stream;
    change(other);
    EXPECT_NE(complaint_at(other, position).find("not one in these data"), std::string::npos);
  }
  DataPosition odd = position;
  odd.stream.gone = 100;
  EXPECT_NE(complaint_at(stream, odd).find("damaged"), std::string::npos);
  odd = position;
  odd.stream.file = 5;
  EXPECT_NE(complaint_at(stream, odd).find("file 6 of 3"), std::string::npos);
  EXPECT_NE(complaint_at(stream, {0, 4}).find("not one in these data"), std::string::npos);
  write("1.txt", "another text");
  EXPECT_NE(complaint_at(stream, position).find("not one in these data"), std::string::npos);
}

TEST_F(StreamTest, ATextShorterThanARowGivesOnePaddedRow) {
  StreamOptions stream = options(true);
  stream.files = {write("short.txt", "ab").string()};
  const auto batch = source(stream)->next();
  Row row{256, 'a', 'b', 257};
  row.resize(16, 300);
  EXPECT_EQ(rows_of(batch->ids), (std::vector<Row>{row, row, row}));
}

// The test streams 64 MB of text. Resident memory may grow only by the buffer and the blocks in flight.
TEST_F(StreamTest, MemoryIsBounded) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer keeps what is freed";
#endif
  std::string text;
  for (int i = 0; text.size() < (64u << 20); ++i) text += fmt::format("{} {}\n\n", i, std::string(200, 'x'));
  StreamOptions stream = options(true, 100);
  stream.files = {write("large.txt", text).string()};
  std::string().swap(text);
  stream.workers = 2;
  stream.batches.rows = 16, stream.batches.max_length = 1024;
  PrefetchSource training(source(stream));
  take_rows(training, 100);
  const int64_t before = resident_bytes();
  int64_t most = before;
  for (int i = 0; i < 4500; ++i) {
    training.next();
    if (i % 50 == 0) most = std::max(most, resident_bytes());
  }
  EXPECT_GT(training.position().epoch, 0) << "all of it was read";
  EXPECT_LT(most - before, 12 << 20);
  EXPECT_LT(stream_bytes(100, 1024, 2), 12 << 20);
}

}  // namespace
}  // namespace galore
