// Tests that processes together make the batches of one.
#include "data/rank_source.h"

#include <gtest/gtest.h>

#include "data/prefetch.h"

namespace galore {
namespace {

// Counts its batches; the ids of a batch are its number.
class CountedSource : public BatchSource {
 public:
  explicit CountedSource(int64_t end) : end_(end) {}
  MakeBatch plan() override {
    if (position_.index == end_) return nullptr;
    return [number = position_.index++] {
      Batch batch;
      batch.ids = at::full({1, 1}, number, at::kLong);
      return batch;
    };
  }
  DataPosition position() const override { return position_; }
  double epochs() const override { return 0; }
  void seek(const DataPosition& position) override { position_ = position; }
  DataPosition start_of(int64_t epoch) const override { return {epoch, 0}; }
  DataFingerprint fingerprint() const override { return {}; }
  int64_t rows_per_epoch() const override { return end_; }
  void end_after(int64_t) override {}

 private:
  int64_t end_;
  DataPosition position_;
};

std::vector<int64_t> numbers_of(BatchSource& source, size_t count) {
  std::vector<int64_t> numbers;
  while (numbers.size() < count)
    if (const auto batch = source.next())
      numbers.push_back(batch->ids.item<int64_t>());
    else
      break;
  return numbers;
}

TEST(RankSource, GivesEachProcessItsShareOfEveryUpdate) {
  const UpdateShare share{5, 3, 2, 0};  // groups 0, 1 2, 3 4: the first process has the first group
  for (const bool ahead : {false, true}) {
    std::unique_ptr<BatchSource> first =
        std::make_unique<RankSource>(std::make_unique<CountedSource>(18), share);
    std::unique_ptr<BatchSource> second =
        std::make_unique<RankSource>(std::make_unique<CountedSource>(18), share.of_process(1));
    if (ahead) {
      first = std::make_unique<PrefetchSource>(std::move(first), 2);
      second = std::make_unique<PrefetchSource>(std::move(second), 2);
    }
    EXPECT_EQ(numbers_of(*first, 2), (std::vector<int64_t>{0, 5}));
    EXPECT_EQ(numbers_of(*second, 8), (std::vector<int64_t>{1, 2, 3, 4, 6, 7, 8, 9}));
    EXPECT_EQ(first->position(), (DataPosition{0, 10}));
    EXPECT_EQ(second->position(), (DataPosition{0, 10}));
    // The last update has three micro-batches.
    EXPECT_EQ(numbers_of(*first, 9), (std::vector<int64_t>{10, 15}));
    EXPECT_EQ(numbers_of(*second, 9), (std::vector<int64_t>{11, 12, 13, 14, 16, 17}));
    second->seek({0, 5});
    EXPECT_EQ(numbers_of(*second, 1), (std::vector<int64_t>{6}));
  }
}

// The last update has one micro-batch, which belongs to the first process.
TEST(RankSource, AnIdleProcessIsAtTheEndOfTheUpdateToo) {
  for (const bool ahead : {false, true}) {
    std::unique_ptr<BatchSource> second =
        std::make_unique<RankSource>(std::make_unique<CountedSource>(6), UpdateShare{5, 3, 2, 1});
    if (ahead) second = std::make_unique<PrefetchSource>(std::move(second), 2);
    EXPECT_EQ(numbers_of(*second, 5), (std::vector<int64_t>{1, 2, 3, 4}));
    EXPECT_EQ(second->position(), (DataPosition{0, 6}));
  }
}

}  // namespace
}  // namespace galore
