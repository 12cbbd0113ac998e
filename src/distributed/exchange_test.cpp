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

TEST(Exchange, GathersNumbersAndTexts) {
  in_ranks(3, [](Exchange& exchange) {
    const double own = exchange.index();
    EXPECT_EQ(exchange.gather({own, 0.1}), (std::vector<double>{0, 0.1, 1, 0.1, 2, 0.1}));
    EXPECT_EQ(exchange.text_of_first(exchange.index() == 0 ? "a b" : "other"), "a b");
    EXPECT_EQ(exchange.text_of_first(""), "");
  });
}

// As many bytes as a ring all-reduce sends, 2 (N - 1) / N of the tensors.
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
