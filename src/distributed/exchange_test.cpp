// Tests sums over many ranks. Threads play the ranks, over real gloo connections.
#include "distributed/exchange.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

namespace galore {
namespace {

constexpr int64_t kPiece = 100;  // small, so that tensors cross pieces and overflow the window
constexpr int64_t kFewPieces = 4;

// Returns the gradient of one group for tensors of several sizes.
std::vector<at::Tensor> gradients_of(int64_t group) {
  std::vector<at::Tensor> tensors;
  for (const int64_t size : {1, 7, 1260, 33}) {
    const at::Tensor places = at::arange(size, at::kFloat) + 1000.0 * static_cast<double>(group);
    tensors.push_back((places * 0.7371).sin() * at::pow(2.0, places.remainder(9)));
  }
  return tensors;
}

void round_sum(at::Tensor& sum, const UpdateShare& share) {
  if (share.narrow) sum.copy_(sum.to(at::kBFloat16));
}

// Returns the partial sums of the groups of this share, as GradientBuffer makes them.
std::vector<GradientSum> sums_of(const UpdateShare& share) {
  std::vector<GradientSum> sums(gradients_of(0).size());
  TreeSum tree(share.leaves());
  for (int64_t group = share.first_group(); group < share.end_group(); ++group) {
    const auto parts = gradients_of(group);
    for (size_t i = 0; i < sums.size(); ++i) round_sum(sums[i].partials.emplace_back(parts[i]), share);
    tree.push({group, group + 1}, [&](size_t k) {
      for (GradientSum& sum : sums) {
        round_sum(sum.partials[k].add_(sum.partials.back()), share);
        sum.partials.pop_back();
      }
    });
  }
  for (size_t i = 0; i < sums.size(); ++i) {
    sums[i].total = sums[i].partials.empty() ? at::zeros_like(gradients_of(0)[i]) : sums[i].partials[0];
    sums[i].reported = i != 1 && share.first_group() == 0;
  }
  return sums;
}

// Calls `work` in each of `size` ranks.
void in_ranks(int64_t size, const std::function<void(Exchange&)>& work) {
  const auto store = thread_store();
  std::vector<std::jthread> threads;
  for (int64_t rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      at::set_num_threads(1);
      const auto own = store->clone();
      const auto group = make_group(*own, {rank, size, "127.0.0.1", "", 60, "group"});
      Exchange exchange(
          *group, rank, size, [](const std::exception& error) { return std::string(error.what()); }, kPiece,
          kFewPieces);
      work(exchange);
      exchange.gather({0});  // nobody leaves early
    });
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return at::equal(a.view(at::kInt), b.view(at::kInt));
}

void expect_the_sums_of_one_process(UpdateShare share, int64_t ranks) {
  const std::vector<GradientSum> alone = sums_of(share);
  share.processes = ranks;
  std::atomic<int> differences = 0;
  in_ranks(ranks, [&](Exchange& exchange) {
    const UpdateShare own = share.of_process(exchange.index());
    for (int update = 0; update < 2; ++update) {
      std::vector<GradientSum> sums = sums_of(own);
      exchange.begin_update(own);
      for (GradientSum& sum : sums) exchange.begin(sum);
      for (size_t i = 0; i < sums.size(); ++i) {
        exchange.finish(sums[i]);
        if (!same_bits(sums[i].total, alone[i].total) || sums[i].reported != (i != 1)) ++differences;
      }
    }
  });
  EXPECT_EQ(differences, 0) << ranks << " ranks, " << share.groups << " groups";
}

TEST(Exchange, GivesTheBitsOfOneProcess) {
  for (const int64_t ranks : {2, 3, 4, 7}) {
    expect_the_sums_of_one_process({8, 8}, ranks);
    expect_the_sums_of_one_process({8, 8, 1, 0, 0, /*narrow=*/true}, ranks);
  }
  expect_the_sums_of_one_process({8, 8, 1, 0, /*missing=*/5}, 4);  // two ranks are idle
}

TEST(Exchange, GivesTheBitsOfOneProcessOn64Ranks) { expect_the_sums_of_one_process({64, 64}, 64); }

at::Tensor bytes_of(const at::Tensor& tensor) { return tensor.view({-1}).view(at::kByte); }

// Each sum has one owner, which sends it to the others with a byte of its own.
void expect_answers_of_owners(UpdateShare share, int64_t ranks) {
  const std::vector<GradientSum> alone = sums_of(share);
  share.processes = ranks;
  std::atomic<int> differences = 0;
  in_ranks(ranks, [&](Exchange& exchange) {
    const UpdateShare own = share.of_process(exchange.index());
    std::vector<GradientSum> sums = sums_of(own);
    std::vector<OwnerAnswer> answers(sums.size());
    exchange.begin_update(own);
    for (size_t i = 0; i < sums.size(); ++i) {
      sums[i].owner = i == 3 ? kEveryProcess : static_cast<int>((i + 1) % static_cast<size_t>(ranks));
      exchange.begin(sums[i]);
    }
    for (size_t i = 0; i < sums.size(); ++i) {
      GradientSum& sum = sums[i];
      exchange.finish(sum);
      const bool is_mine = sum.owner == exchange.index();
      if (sum.owner != kEveryProcess && !is_mine) sum.total = at::zeros_like(alone[i].total);
      if (sum.owner == kEveryProcess) continue;
      if (is_mine && sum.reported != (i != 1)) ++differences;
      answers[i] = {sum.owner, {at::full({1}, is_mine ? 7 : 0, at::kByte), bytes_of(sum.total)}};
      exchange.begin(answers[i]);
    }
    for (size_t i = 0; i < sums.size(); ++i) {
      if (sums[i].owner != kEveryProcess) exchange.finish(answers[i]);
      if (!same_bits(sums[i].total, alone[i].total)) ++differences;
      if (sums[i].owner != kEveryProcess && answers[i].parts[0].item<uint8_t>() != 7) ++differences;
    }
  });
  EXPECT_EQ(differences, 0) << ranks << " ranks";
}

TEST(Exchange, GivesSumsToOwnersAndTheirAnswersToAll) {
  for (const int64_t ranks : {2, 3, 7}) {
    expect_answers_of_owners({8, 8}, ranks);
    expect_answers_of_owners({8, 8, 1, 0, 0, /*narrow=*/true}, ranks);
  }
  expect_answers_of_owners({8, 8, 1, 0, /*missing=*/5}, 4);  // two ranks are idle
}

TEST(Exchange, GathersNumbersAndTexts) {
  in_ranks(3, [](Exchange& exchange) {
    const double own = exchange.index();
    EXPECT_EQ(exchange.gather({own, 0.1}), (std::vector<double>{0, 0.1, 1, 0.1, 2, 0.1}));
    EXPECT_EQ(exchange.text_of_first(exchange.index() == 0 ? "a b" : "other"), "a b");
    EXPECT_EQ(exchange.text_of_first(""), "");
    EXPECT_EQ(exchange.text_of(2, exchange.index() == 2 ? "c" : "other"), "c");
    const at::Tensor bytes = at::full({5}, exchange.index(), at::kByte);
    exchange.bring_to_first(1, bytes);
    EXPECT_EQ(bytes.sum().item<int64_t>(), exchange.index() == 2 ? 10 : 5);  // of 1, or its own
  });
}

// A sum for its owner and an answer of the same size cost as much as a sum for all.
TEST(Exchange, SendsToOwnersOnceAndBackOnce) {
  in_ranks(4, [](Exchange& exchange) {
    const UpdateShare share{4, 4, 4, exchange.index()};
    GradientSum sum{{at::ones({399})}, {}, true, /*owner=*/2};
    sum.total = sum.partials[0];
    exchange.begin_update(share);
    exchange.begin(sum);
    exchange.finish(sum);
    OwnerAnswer answer{2, {bytes_of(sum.total)}};
    exchange.begin(answer);
    exchange.finish(answer);
    EXPECT_EQ(sum.total.sum().item<float>(), 4 * 399);
    EXPECT_EQ(exchange.traffic().bytes, exchange.index() == 2 ? 3 * 399 * 4 : 400 * 4);
  });
}

// As many bytes as a ring all-reduce sends, 2 (N - 1) / N of the tensors.
// Sends nothing, and notes how many elements go to each process.
class NotingGroup : public Group {
 public:
  struct Done : Pending {
    void wait() override {}
  };
  std::unique_ptr<Pending> all_to_all(const at::Tensor&, const at::Tensor&, const std::vector<int64_t>&,
                                      const std::vector<int64_t>& sent_counts) override {
    sent.push_back(sent_counts);
    return std::make_unique<Done>();
  }
  std::unique_ptr<Pending> all_gather(const at::Tensor&, const at::Tensor&) override {
    return std::make_unique<Done>();
  }
  std::unique_ptr<Pending> broadcast(const at::Tensor&, int64_t) override { return std::make_unique<Done>(); }
  std::vector<std::vector<int64_t>> sent;
};

// Each weight is larger than an owner's part of a piece. The weights of four owners share the pieces all the
// same, so that all links work at a time. A fifth weight has none to share with.
TEST(Exchange, KeepsTheLinksOfAllOwnersBusy) {
  NotingGroup group;
  {
    Exchange exchange(
        group, 0, 4, [](const std::exception& e) { return std::string(e.what()); }, kPiece, 16);
    exchange.begin_update({4, 4, 4, 0});
    std::vector<GradientSum> sums(5);
    for (size_t i = 0; i < sums.size(); ++i) {
      sums[i].partials = {at::zeros({60})};
      sums[i].total = sums[i].partials[0];
      sums[i].owner = static_cast<int>(i % 4);
      exchange.begin(sums[i]);
    }
    for (GradientSum& sum : sums) exchange.finish(sum);
  }
  using Counts = std::vector<int64_t>;
  ASSERT_EQ(group.sent.size(), 5u);
  EXPECT_EQ(group.sent[0], (Counts{25, 25, 25, 25}));
  EXPECT_EQ(group.sent[1], (Counts{25, 25, 25, 25}));
  EXPECT_EQ(group.sent[2], (Counts{25, 11, 11, 11})) << "the end of the fifth, and of each a flag";
}

TEST(Exchange, SendsNoMoreThanARing) {
  in_ranks(4, [](Exchange& exchange) {
    const UpdateShare share{4, 4, 4, exchange.index()};
    GradientSum sum{{at::ones({399})}, {}, true};  // 400 numbers with the report
    sum.total = sum.partials[0];
    exchange.begin_update(share);
    exchange.begin(sum);
    exchange.finish(sum);
    EXPECT_EQ(sum.total.sum().item<float>(), 4 * 399);
    EXPECT_EQ(exchange.traffic().bytes, 2 * 300 * 4);  // 4 bytes for each number
  });
}

TEST(Exchange, TellsWhenARankIsLost) {
  std::atomic<int> told = 0;
  const auto store = thread_store();
  std::vector<std::jthread> threads;
  for (int64_t rank = 0; rank < 2; ++rank)
    threads.emplace_back([&, rank] {
      const auto own = store->clone();
      const auto group = make_group(*own, {rank, 2, "127.0.0.1", "", 60, "group"});
      if (rank == 1) return;
      Exchange exchange(*group, rank, 2, [](const std::exception&) { return std::string("rank 1 is gone"); });
      try {
        exchange.gather({1});
      } catch (const LostProcess& lost) {
        EXPECT_STREQ(lost.what(), "rank 1 is gone");
        ++told;
      }
    });
  threads.clear();
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace galore
