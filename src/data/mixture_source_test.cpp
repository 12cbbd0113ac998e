#include "data/mixture_source.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/errors.h"
#include "data/mixture_options.h"
#include "data/prefetch.h"
#include "data/row_batch_source.h"
#include "data/stream_source.h"
#include "data/test_batches.h"

namespace galore {
namespace {

BatchOptions mixed_batches(int64_t rows) {
  BatchOptions options;
  options.rows = rows, options.max_length = 4, options.packing = Packing::none;
  return options;
}

// Returns a source whose rows are {first + number, 7, 7}.
std::unique_ptr<RowSource> numbered_rows(int64_t first, int64_t count) {
  std::vector<ExampleRow> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back({{first + i, 7, 7}, {first + i, 7, 7}, {}});
  return std::make_unique<RowBatchSource>(std::move(rows), "rows", mixed_batches(4));
}

// Source 0 has rows from 0 on, source 1 from 1000 on.
MixtureSource two_sources(double first_weight, double first_epochs = 0, double second_epochs = 0) {
  std::vector<MixturePart> parts;
  parts.push_back({"a", numbered_rows(0, 20), first_weight, first_epochs});
  parts.push_back({"b", numbered_rows(1000, 50), 1 - first_weight, second_epochs});
  return {std::move(parts), mixed_batches(4)};
}

std::vector<int64_t> first_ids(BatchSource& source, int64_t batches) {
  std::vector<int64_t> ids;
  for (const Row& row : take_rows(source, batches)) ids.push_back(row.front());
  return ids;
}

std::map<int64_t, int64_t> count_rows(const std::vector<int64_t>& ids) {
  std::map<int64_t, int64_t> counts;
  for (const int64_t id : ids) ++counts[id];
  return counts;
}

TEST(MixtureOptions, ReadsSourcesAndLists) {
  const auto items = parse_mixture(
      "name=a,files=a.txt,weight=2;name=b-1,'files=b1.txt,b2.txt',weight=0.5,max_epochs=3,eval_files=e.txt");
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].name, "a");
  EXPECT_EQ(items[1].files, (std::vector<std::string>{"b1.txt", "b2.txt"}));
  EXPECT_EQ(items[1].eval_files, std::vector<std::string>{"e.txt"});
  EXPECT_EQ(items[1].max_epochs, 3);
  EXPECT_EQ(items[1].weight, 0.5);
}

TEST(MixtureOptions, RefusesWhatMakesNoMixture) {
  for (const auto& [text, expected] : std::map<std::string, std::string>{
           {"", "expected one or more sources"},
           {"files=a", "expected a name of letters"},
           {"name=a b,files=a", "given 'a b'"},
           {"name=a", "expected one or more files"},
           {"name=a,files=a;name=a,files=b", "given 'a' twice"},
           {"name=a,files=a,weight=1;name=b,files=b", "given 1 weights for 2 sources"},
           {"name=a,files=a,weight=-1", "at least 0"},
           {"name=a,files=a,weight=0", "a weight above 0"},
           {"name=a,files=a,share=1", "given 'share'"}})
    EXPECT_NE(message_of([&text = text] { parse_mixture(text); }).find(expected), std::string::npos) << text;
}

TEST(MixtureOptions, WeightsAreProportionalAndTempered) {
  const auto items = parse_mixture("name=a,files=a;name=b,files=b;name=c,files=c");
  const auto plain = mixture_weights(items, {100, 300, 600}, 1);
  EXPECT_NEAR(plain[1], 0.3, 1e-12);
  const auto tempered = mixture_weights(items, {100, 400, 900}, 2);  // 10 : 20 : 30
  EXPECT_NEAR(tempered[0], 1.0 / 6, 1e-12);
  EXPECT_NEAR(tempered[2], 0.5, 1e-12);
  const auto even = mixture_weights(items, {100, 400, 900}, std::numeric_limits<double>::infinity());
  EXPECT_NEAR(even[0], 1.0 / 3, 1e-12);
  // A given weight replaces the size, and a weight of 0 stays 0 at any temperature.
  const auto given = mixture_weights(parse_mixture("name=a,files=a,weight=0;name=b,files=b,weight=5"), {1, 1},
                                     std::numeric_limits<double>::infinity());
  EXPECT_EQ(given, (std::vector<double>{0, 1}));
}

TEST(MixtureSource, DrawsByWeightAndNamesTheSourceOfEachRow) {
  MixtureSource mixture = two_sources(0.2);
  constexpr int64_t kBatches = 1000;
  int64_t of_first = 0;
  for (int64_t i = 0; i < kBatches; ++i) {
    const Batch batch = *mixture.next();
    ASSERT_EQ(batch.source.sizes(), at::IntArrayRef({4}));
    for (int64_t row = 0; row < 4; ++row) {
      const bool first = batch.ids[row][0].item<int64_t>() < 1000;
      EXPECT_EQ(batch.source[row].item<int32_t>(), first ? 0 : 1);
      of_first += first;
    }
  }
  // The standard deviation of the number is sqrt(4000 x 0.2 x 0.8) = 25.
  EXPECT_NEAR(of_first, 800, 5 * 25);
}

TEST(MixtureSource, ContinuesAtEachPosition) {
  MixtureSource whole = two_sources(0.4, /*first_epochs=*/2);
  for (int64_t batches = 0; batches < 40; batches += 7) {
    MixtureSource resumed = two_sources(0.4, 2);
    resumed.seek(whole.position());
    MixtureSource again = two_sources(0.4, 2);
    first_ids(again, batches);
    const auto expected = first_ids(again, 3);
    EXPECT_EQ(first_ids(resumed, 3), expected);
    first_ids(whole, 7);
  }
}

TEST(MixtureSource, PrefetchedBatchesAreTheSame) {
  MixtureSource plain = two_sources(0.4);
  PrefetchSource ahead(std::make_unique<MixtureSource>(two_sources(0.4)), 2);
  EXPECT_EQ(first_ids(ahead, 30), first_ids(plain, 30));
  const DataPosition place = ahead.position();
  EXPECT_EQ(place, plain.position());
  const auto next = first_ids(ahead, 5);
  ahead.seek(place);
  EXPECT_EQ(first_ids(ahead, 5), next);
  EXPECT_EQ(ahead.mixture()->name(1), "b");
}

TEST(MixtureSource, ASourceThatEndsLeavesItsWeightToTheOthers) {
  MixtureSource mixture = two_sources(0.9, /*first_epochs=*/1.5);
  const auto counts = count_rows(first_ids(mixture, 40));
  int64_t of_first = 0;
  for (const auto& [id, count] : counts) {
    if (id >= 1000) continue;
    EXPECT_TRUE(count == 1 || count == 2) << id;
    of_first += count;
  }
  EXPECT_EQ(of_first, 30);  // 1.5 times 20 rows
  EXPECT_FALSE(mixture.last_row());
  const auto rest = first_ids(mixture, 20);
  EXPECT_TRUE(std::all_of(rest.begin(), rest.end(), [](int64_t id) { return id >= 1000; }));
}

TEST(MixtureSource, EndsWhenAllSourcesEnd) {
  MixtureSource mixture = two_sources(0.5, /*first_epochs=*/1, /*second_epochs=*/2);
  EXPECT_EQ(mixture.last_row(), 20 + 2 * 50);
  const auto counts = count_rows(first_ids(mixture, 1000));
  EXPECT_EQ(counts.size(), 70u);
  for (const auto& [id, count] : counts) EXPECT_EQ(count, id < 1000 ? 1 : 2);
  EXPECT_FALSE(mixture.next());
  EXPECT_NEAR(mixture.epochs_of(1, mixture.position()), 2, 1e-12);
}

TEST(MixtureSource, CountsAnEpochByAllRowsAndEndsWhereAsked) {
  MixtureSource mixture = two_sources(0.5);
  EXPECT_EQ(mixture.rows_per_epoch(), 70);
  mixture.end_after(10);
  EXPECT_EQ(first_ids(mixture, 100).size(), 10u);
  EXPECT_NEAR(mixture.epochs(), 10.0 / 70, 1e-12);
}

TEST(MixtureSource, PeekingAndDrawingLeaveThePosition) {
  MixtureSource mixture = two_sources(0.5), same = two_sources(0.5);
  first_ids(mixture, 3);
  first_ids(same, 3);
  const Batch peeked = mixture.peek(4);
  RandomStream random(1, "test");
  const Batch drawn = mixture.draw({1, 1, 0}, random);
  EXPECT_EQ(drawn.source[2].item<int32_t>(), 0);
  EXPECT_LT(drawn.ids[2][0].item<int64_t>(), 1000);
  EXPECT_GE(drawn.ids[0][0].item<int64_t>(), 1000);
  const Batch next = *mixture.next();
  EXPECT_TRUE(at::equal(peeked.ids, next.ids));
  EXPECT_TRUE(at::equal(next.ids, same.next()->ids));
}

TEST(MixtureSource, RefusesAPositionOfOtherSources) {
  MixtureSource mixture = two_sources(0.5);
  first_ids(mixture, 1);
  DataPosition position = mixture.position();
  position.sources.pop_back();
  EXPECT_NE(message_of([&] { mixture.seek(position); }).find("expected the 2 sources"), std::string::npos);
}

class StreamedMixture : public DataTest {
 protected:
  std::unique_ptr<RowSource> stream(const std::string& name) {
    StreamOptions options;
    options.files = {(folder_ / name).string()};
    options.batches = mixed_batches(3);
    options.buffer_size = 5;
    return std::make_unique<StreamBatchSource>(options, nullptr);
  }
  MixtureSource mixture() {
    for (const auto& [name, first] : {std::pair{"a.jsonl", 0}, {"b.jsonl", 100}}) {
      std::string rows;
      for (int i = 0; i < 17; ++i) rows += fmt::format("{{\"input_ids\":[{},7,7]}}\n", first + i);
      write(name, rows);
    }
    std::vector<MixturePart> parts;
    parts.push_back({"a", stream("a.jsonl"), 0.3});
    parts.push_back({"b", stream("b.jsonl"), 0.7});
    return {std::move(parts), mixed_batches(3)};
  }
};

TEST_F(StreamedMixture, ContinuesAtEachPosition) {
  MixtureSource whole = mixture();
  for (int round = 0; round < 6; ++round) {
    first_ids(whole, 3);
    const DataPosition place = whole.position();
    MixtureSource resumed = mixture();
    resumed.seek(place);
    MixtureSource other = mixture();
    first_ids(other, 3 * (round + 1));
    EXPECT_EQ(first_ids(resumed, 4), first_ids(other, 4));
  }
}

TEST_F(StreamedMixture, CannotCountEpochs) {
  mixture();
  std::vector<MixturePart> parts;
  parts.push_back({"a", stream("a.jsonl"), 1, /*max_epochs=*/2});
  EXPECT_NE(message_of([&] { MixtureSource(std::move(parts), mixed_batches(3)); }).find("streaming=true"),
            std::string::npos);
}

}  // namespace
}  // namespace galore
