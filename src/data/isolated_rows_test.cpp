// Tests rows that hold several examples, each with attention and positions of its own.
#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <set>

#include "data/row_batch_source.h"
#include "data/stream_source.h"
#include "data/test_batches.h"

namespace galore {
namespace {

class IsolatedRowsTest : public RowsTest {
 protected:
  // Writes 300 rows of 1 to 13 tokens with labels. The first half of each row is masked, and the label of
  // token t is 1000 + t.
  std::shared_ptr<const TokenDataset> labelled(const std::string& more_files = "") {
    std::string rows;
    for (int i = 0; i < 300; ++i) {
      std::string ids, labels;
      for (int j = 0; j <= i % 13; ++j) {
        ids += fmt::format("{}{}", j ? "," : "", i);
        labels += fmt::format("{}{}", j ? "," : "", j < i % 13 / 2 ? -100 : 1000 + j);
      }
      rows += fmt::format("{{\"input_ids\":[{}],\"labels\":[{}]}}\n", ids, labels);
    }
    DatasetOptions options;
    options.files = {write("labelled.jsonl", rows).string()};
    if (!more_files.empty()) options.files.push_back(more_files);
    options.cache_folder = folder_ / "cache";
    options.tokenization.separator = 5000;
    return std::make_shared<TokenDataset>(options, nullptr);
  }
  static StreamOptions options(Packing packing) {
    StreamOptions stream;
    stream.batches = batches(packing, 3, 16);
    stream.batches.pad_id = 300;
    stream.tokenization.separator = 257;
    return stream;
  }
  std::optional<Batch> first_batch(const StreamOptions& stream) const {
    return StreamBatchSource(stream, &tokenizer_).next();
  }
  std::string complaint(const StreamOptions& stream) const {
    return message_of([&] { first_batch(stream); });
  }

  const ByteTokenizer tokenizer_{};
};

// Returns the examples of a batch by its key ranges, each as a list of ids.
std::vector<std::vector<int64_t>> examples_of(const Batch& batch) {
  std::vector<std::vector<int64_t>> examples;
  for (int64_t row = 0; row < batch.rows(); ++row)
    for (int64_t t = 0; t < batch.length(); ++t) {
      const auto at = [&](const at::Tensor& tensor) { return tensor[row][t].item().toLong(); };
      if (at(batch.ids) == 9999) continue;
      const int64_t first = batch.first_key.defined() ? at(batch.first_key) : 0;
      EXPECT_EQ(batch.positions.defined() ? at(batch.positions) : t, t - first);
      EXPECT_EQ(batch.end_key.defined() ? at(batch.end_key) : t + 1, t + 1);
      if (first == t) examples.emplace_back();
      examples.back().push_back(at(batch.ids));
    }
  return examples;
}

TEST_F(IsolatedRowsTest, SplitsOfIsolatedRowsAreDisjointAndComplete) {
  const auto data = dataset(false);
  auto options = batches(Packing::isolated, 1, 32);
  std::map<int64_t, int> seen;
  options.val_size = 0.1;
  for (const DataSplit split : {DataSplit::train, DataSplit::validation}) {
    options.split = split;
    options.evaluation = split == DataSplit::validation;
    RowBatchSource source(data, options);
    for (int64_t i = 0; i < source.rows_per_epoch(); ++i)
      for (const auto& example : examples_of(*source.next())) ++seen[example.front()];
  }
  EXPECT_EQ(seen.size(), 1000u);
  for (const auto& [document, times] : seen) EXPECT_EQ(times, 1) << document;
}

TEST_F(IsolatedRowsTest, IsolatedExamplesAreWholeAndComeOnceAnEpoch) {
  const auto data = dataset(true);
  std::multiset<std::vector<int64_t>> expected;
  for (int64_t i = 0; i < 1000; ++i) {
    std::vector<int64_t> document(static_cast<size_t>(i % 13 + 1), i);
    document.push_back(5000);
    expected.insert(document);
  }
  std::vector<std::vector<std::vector<int64_t>>> epochs;
  for (const uint64_t seed : {1, 2}) {
    auto options = batches(Packing::isolated, 1, 32);
    options.seed = seed;
    RowBatchSource source(data, options);
    EXPECT_LE(source.rows_per_epoch() * 32, data->num_tokens() * 100 / 95);
    for (int epoch = 0; epoch < 2; ++epoch) {
      epochs.emplace_back();
      for (int64_t i = 0; i < source.rows_per_epoch(); ++i) {
        const auto batch = source.next();
        EXPECT_LE(batch->length(), 32);
        for (auto& example : examples_of(*batch)) epochs.back().push_back(std::move(example));
      }
      EXPECT_EQ(std::multiset(epochs.back().begin(), epochs.back().end()), expected);
    }
    EXPECT_EQ(source.position(), (DataPosition{2, 0}));
  }
  EXPECT_EQ(std::set(epochs.begin(), epochs.end()).size(), 4u) << "an order for each seed and epoch";
}

TEST_F(IsolatedRowsTest, AnEvaluationPacksInTheOrderOfTheFile) {
  auto options = batches(Packing::isolated, 2, 20);
  options.evaluation = true;
  RowBatchSource source(dataset(false), options);
  const auto batch = source.next();
  // Document i has i % 13 + 1 tokens.
  std::vector<int64_t> first_ids;
  for (const auto& example : examples_of(*batch)) first_ids.push_back(example.front());
  EXPECT_EQ(first_ids, (std::vector<int64_t>{0, 1, 2, 3, 4, 13, 14, 26, 39, 5, 6, 15, 16}));
}

TEST_F(IsolatedRowsTest, RowsWithLabelsAreIsolatedAndGetNoSeparator) {
  for (const Packing packing : {Packing::joined, Packing::isolated, Packing::none})
    for (const bool evaluation : {true, false}) {
      auto options = batches(packing, 5, 64);
      options.evaluation = evaluation;
      RowBatchSource source(labelled(), options);
      EXPECT_EQ(source.rows_per_epoch() == 300, packing == Packing::none);
      std::map<int64_t, int64_t> tokens;  // tokens of each document
      int64_t targets = 0;
      for (int64_t rows = 0; rows < source.rows_per_epoch();) {
        const auto batch = source.next();
        rows += batch->rows();
        if (!evaluation && rows > source.rows_per_epoch()) break;
        targets += batch->targets.count;
        for (const auto& example : examples_of(*batch)) {
          EXPECT_EQ(std::set(example.begin(), example.end()).size(), 1u) << "an example is whole";
          tokens[example.front()] += std::ssize(example);
        }
        const at::Tensor predicted = batch->targets.labels.ne(kIgnoredLabel);
        EXPECT_EQ(predicted.sum().item<int64_t>(), batch->targets.count);
        EXPECT_GT(batch->targets.labels.masked_select(predicted).min().item<int64_t>(), 1000)
            << "neither a masked label nor that of the first token, which is 1000";
      }
      if (!evaluation) continue;
      EXPECT_EQ(tokens.size(), 300u);
      int64_t expected = 0;
      for (int64_t i = 0; i < 300; ++i) {
        EXPECT_EQ(tokens[i], i % 13 + 1);
        expected += i % 13 - std::max<int64_t>(i % 13 / 2 - 1, 0);
      }
      EXPECT_EQ(targets, expected);
    }
}

TEST_F(IsolatedRowsTest, FilesWithAndWithoutLabelsAreNotJoined) {
  const std::string plain = write("plain.jsonl", "{\"input_ids\":[1,2,3]}\n").string();
  EXPECT_NE(message_of([&] {
              RowBatchSource(labelled(plain), batches(Packing::joined, 1, 32));
            }).find("labelled.jsonl] the rows have labels and those of " + plain + " have none"),
            std::string::npos);
  for (const Packing packing : {Packing::isolated, Packing::none}) {
    auto options = batches(packing, 1000, 32);
    options.evaluation = true;
    RowBatchSource source(labelled(plain), options);
    const auto examples = examples_of(*source.next());
    EXPECT_EQ(examples.size(), 301u);
    const std::vector<int64_t> last = {1, 2, 3, 5000};
    EXPECT_EQ(std::count(examples.begin(), examples.end(), last), 1);
  }
  const std::string tokens = write("tokens.bin", std::string(64, '\0')).string();
  EXPECT_NE(message_of([&] {
              RowBatchSource(labelled(tokens), batches(Packing::none, 1, 32));
            }).find("expected rows without labels beside " + tokens),
            std::string::npos);
}

TEST_F(IsolatedRowsTest, IsolatedExamplesThatAreCutAreCounted) {
  std::vector<std::string> said;
  const DataMessages say = [&](const std::string& line) { said.push_back(line); };
  RowBatchSource source(dataset(false), batches(Packing::isolated, 1, 11), say);
  ASSERT_EQ(said.size(), 1u);  // documents of 12 and 13 tokens: 77 + 76 of the 1000
  EXPECT_EQ(said[0], "153 examples of " + (folder_ / "rows.jsonl").string() +
                         " are longer than max_length=11 and were cut");
  for (int64_t i = 0; i < source.rows_per_epoch(); ++i) EXPECT_LE(source.next()->length(), 11);
  said.clear();
  RowBatchSource(dataset(false), batches(Packing::isolated, 1, 13), say);
  RowBatchSource(dataset(false), batches(Packing::joined, 1, 5), say);
  EXPECT_TRUE(said.empty());
}

// Rows with labels are isolated although joining is asked for, and they get no separator.
TEST_F(IsolatedRowsTest, LabelsComeWithTheirIds) {
  const std::string rows =
      "{\"input_ids\":[1,2,3],\"labels\":[-100,7,8]}\n{\"input_ids\":[4,5],\"labels\":[4,9]}\n";
  for (const Packing packing : {Packing::joined, Packing::isolated, Packing::none}) {
    StreamOptions stream = options(Packing::joined);
    stream.files = {write("labels.jsonl", rows).string()};
    stream.batches.packing = packing;
    stream.batches.evaluation = true;
    const auto batch = first_batch(stream);
    const bool packs = packing != Packing::none;
    EXPECT_EQ(rows_of(batch->ids),
              packs ? (std::vector<Row>{{1, 2, 3, 4, 5}}) : (std::vector<Row>{{1, 2, 3}, {4, 5, 300}}));
    EXPECT_EQ(rows_of(batch->targets.labels), packs ? (std::vector<Row>{{7, 8, -100, 9, -100}})
                                                    : (std::vector<Row>{{7, 8, -100}, {9, -100, -100}}));
    EXPECT_EQ(batch->targets.count, 3);
    ASSERT_EQ(batch->positions.defined(), packs);
    if (!packs) continue;
    EXPECT_EQ(rows_of(batch->positions), (std::vector<Row>{{0, 1, 2, 0, 1}}));
  }
}

// Files with and without labels share a row only if the options ask for it.
TEST_F(IsolatedRowsTest, LabelsAndTextMixOnRequest) {
  StreamOptions stream = options(Packing::joined);
  stream.files = {write("a.txt", "ab").string(),
                  write("b.jsonl", "{\"input_ids\":[1,2],\"labels\":[-100,2]}\n").string()};
  stream.batches.evaluation = true;
  EXPECT_NE(complaint(stream).find("b.jsonl] the rows have labels and those of " + stream.files[0]),
            std::string::npos)
      << complaint(stream);
  stream.batches.packing = Packing::isolated;
  const auto batch = first_batch(stream);
  EXPECT_EQ(rows_of(batch->ids), (std::vector<Row>{{256, 'a', 'b', 257, 1, 2}}));
  EXPECT_EQ(rows_of(batch->targets.labels), (std::vector<Row>{{'a', 'b', 257, -100, 2, -100}}));
  std::swap(stream.files[0], stream.files[1]);
  EXPECT_EQ(rows_of(first_batch(stream)->targets.labels), (std::vector<Row>{{2, -100, 'a', 'b', 257, -100}}));
  stream.batches.packing = Packing::none;
  EXPECT_EQ(first_batch(stream)->rows(), 2);
  stream.files[0] = write("c.bin", std::string(40, '\0')).string();
  stream.files[1] = (folder_ / "b.jsonl").string();
  EXPECT_NE(complaint(stream).find("expected rows without labels beside " + stream.files[0]),
            std::string::npos)
      << complaint(stream);
  stream.batches.packing = Packing::isolated;
  EXPECT_NE(complaint(stream).find("c.bin] packing=isolated"), std::string::npos);
}

// A row ends if the next example does not fit. Examples longer than a row are cut.
TEST_F(IsolatedRowsTest, IsolatedExamplesAreWhole) {
  StreamOptions stream = options(Packing::joined);
  stream.batches.packing = Packing::isolated;
  stream.batches.rows = 1;
  stream.files = {write("a.txt", "aaaa\n\nbbbbbb\n\nccc\n\n" + std::string(40, 'd') + "\n\ne").string()};
  std::vector<std::string> said;
  StreamBatchSource training(stream, &tokenizer_, [&](const std::string& line) { said.push_back(line); });
  const auto word = [](size_t count, char letter) {
    Row row(count + 1, letter);
    row[0] = 256;
    if (row.size() < 16) row.push_back(257);
    row.resize(std::min<size_t>(16, row.size()));
    return row;
  };
  Row first = word(4, 'a'), second = word(3, 'c');
  for (const int64_t id : word(6, 'b')) first.push_back(id);
  for (int epoch = 0; epoch < 3; ++epoch) {
    const auto rows = take_rows(training, 4);
    EXPECT_EQ(std::set(rows.begin(), rows.end()), (std::set{first, second, word(40, 'd'), word(1, 'e')}));
  }
  EXPECT_EQ(said, std::vector<std::string>{"1 examples of " + stream.files[0] +
                                           " are longer than max_length=16 and were cut"});
}

}  // namespace
}  // namespace galore
