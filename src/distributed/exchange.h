// Sums gradients over processes so that the bits do not depend on their number.
//
// The gradients of an update form one sequence of numbers, which is cut into pieces. For each piece every
// process owns one part: it receives the others' sums of that part (all-to-all), adds them by the canonical
// tree (core/update_share.h), and sends the result to all (all-gather). For N processes with one tree node
// each, that is 2 (N - 1) / N of the piece, as many bytes as a ring all-reduce sends.
//
// A thread of its own does this, so that the exchange goes on while the caller computes. Its operations
// follow the order of the calls, never their times, because every process must have the same order.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "core/collective.h"
#include "core/lost_process.h"
#include "distributed/group.h"

namespace galore {

class Exchange : public Collective {
 public:
  using Explain = std::function<std::string(const std::exception& error)>;  // the line about a failure
  // At 1 Gbit/s, pieces of 4 MiB took the least time, larger ones 1.8 times as long, smaller ones 3 times.
  static constexpr int64_t kPieceElements = int64_t{1} << 20;
  // Pieces that may wait for their numbers to be taken, and buffers of received numbers.
  static constexpr int64_t kWindow = kExchangeWindow / kPieceElements, kReceiving = 5;

  // The group must outlive this object.
  Exchange(Group& group, int64_t index, int64_t size, Explain explain,
           int64_t piece_elements = kPieceElements, int64_t window = kWindow);
  ~Exchange() override;

  int index() const override { return static_cast<int>(index_); }
  int size() const override { return static_cast<int>(size_); }
  void begin_update(const UpdateShare& share) override;
  void begin(GradientSum& sum) override;
  void finish(GradientSum& sum) override;
  bool is_crowded() const override { return std::ssize(pieces_) >= window_; }
  std::vector<double> gather(const std::vector<double>& own) override;
  std::string text_of_first(const std::string& text) override;
  Traffic traffic() const override { return traffic_; }

 private:
  struct Piece;
  // A run of elements of a sum. Each sum has one element more than its tensors, which tells whether a use has
  // reported.
  struct Segment {
    GradientSum* sum;
    int64_t from, count, place;  // in the sum, and in the piece
  };

  // The caller's thread calls these.
  const std::vector<TreeNode>& own_nodes() const { return nodes_[static_cast<size_t>(index_)]; }
  Piece& open_piece();
  void stage(Piece& piece, const Segment& segment) const;
  void launch();
  void take(Piece& piece, const GradientSum* only);
  void push(std::function<void()> job);
  void do_now(std::function<void()> job);
  void wait_until(const std::function<bool()>& condition);

  // The exchange's thread calls these.
  void work();
  void scatter(Piece& piece);
  void sum_first();
  void complete_first();

  Group& group_;
  int64_t index_, size_;
  Explain explain_;
  int64_t piece_elements_, window_;
  UpdateShare share_;
  std::vector<std::vector<TreeNode>> nodes_;   // of each process
  std::unique_ptr<Piece> open_;                // the piece that is not yet full, or null
  std::deque<std::unique_ptr<Piece>> pieces_;  // that were launched and hold numbers
  std::vector<std::unique_ptr<Piece>> spare_;  // with buffers to use again
  int64_t launched_ = 0, complete_ = 0;        // numbers of pieces; complete without another call
  Traffic traffic_;

  std::deque<Piece*> scattered_, gathered_;  // operations that are under way
  std::vector<at::Tensor> received_;         // buffers to use again

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool busy_ = false, stopping_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace galore
