// Sums gradients over processes so that the bits do not depend on their number.
//
// The gradients of an update form one sequence of numbers, which is cut into pieces. For each piece every
// process owns one part: it receives the others' sums of that part (all-to-all), adds them by the canonical
// tree (core/update_share.h), and sends the result to all (all-gather). For N processes with one tree node
// each, that is 2 (N - 1) / N of the piece, as many bytes as a ring all-reduce sends. Two pieces are under
// way at a time, while the caller computes.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "core/collective.h"
#include "core/lost_process.h"
#include "distributed/group.h"

namespace galore {

class Exchange : public Collective {
 public:
  // Returns the line for the user after an operation has failed.
  using Explain = std::function<std::string(const std::exception& error)>;
  // At 1 Gbit/s, pieces of 4 MiB take the least time: one large piece took up to 1.8 times as long, pieces of
  // 1 MiB up to 3 times.
  static constexpr int64_t kPieceElements = int64_t{1} << 20;

  // The group must outlive this object.
  Exchange(Group& group, int64_t index, int64_t size, Explain explain,
           int64_t piece_elements = kPieceElements);
  ~Exchange() override;

  int index() const override { return static_cast<int>(index_); }
  int size() const override { return static_cast<int>(size_); }
  void begin_update(const UpdateShare& share) override;
  void begin(GradientSum& sum) override;
  void finish(GradientSum& sum) override;
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

  void launch();
  void pack(Piece& piece) const;
  void add_own_part(Piece& piece);
  void complete_first();
  void unpack(const Piece& piece) const;
  void wait(Pending& pending);
  template <typename Operation>
  auto guarded(const Operation& operation) const;

  Group& group_;
  int64_t index_, size_;
  Explain explain_;
  int64_t piece_elements_;
  UpdateShare share_;
  std::vector<std::vector<TreeNode>> nodes_;  // of each process
  std::vector<Segment> open_;                 // of the piece that is not yet full
  int64_t open_elements_ = 0;
  std::deque<std::unique_ptr<Piece>> under_way_;
  std::vector<std::unique_ptr<Piece>> spare_;  // with buffers to use again
  Traffic traffic_;
};

}  // namespace galore
