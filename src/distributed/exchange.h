// Sums gradients over processes so that the bits do not depend on their number, and sends the answers of
// weights' owners.
//
// The numbers of an update form three sequences, which are cut into pieces:
//
//   sums for all     every process owns one part of a piece. It receives the others' sums of that part
//                    (all-to-all), adds them by the canonical tree (core/update_share.h), and sends the
//                    result to all (all-gather)
//   sums for owners  a piece has a lane for each process, with sums that this process receives and adds
//   answers          a piece has a lane for each process, with bytes that this process sends to all others
//
// For N processes with one tree node each, a sum for all costs 2 (N - 1) / N of its size, as many bytes as a
// ring all-reduce sends. A sum for its owner and an answer of the same size cost as much together.
//
// A thread of its own does this, so that the exchange goes on while the caller computes. Its operations
// follow the order of the calls, never their times, because every process must have the same order.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>

#include "core/collective.h"
#include "core/job_thread.h"
#include "core/lost_process.h"
#include "core/transfer.h"
#include "distributed/group.h"

namespace galore {

class Exchange : public Collective {
 public:
  using Explain = std::function<std::string(const std::exception& error)>;  // the line about a failure
  // At 1 Gbit/s, pieces of 4 MiB took the least time, larger ones 1.8 times as long, smaller ones 3 times.
  static constexpr int64_t kPieceElements = int64_t{1} << 20;
  // Pieces that are open or wait for their numbers to be taken, and buffers of received numbers.
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
  void begin(OwnerAnswer& answer) override;
  void finish(OwnerAnswer& answer) override;
  bool is_crowded() const override { return std::ssize(pieces_) + num_open() >= window_; }
  std::vector<double> gather(const std::vector<double>& own) override;
  std::string text_of(int process, const std::string& text) override;
  void bring_to_first(int from, const at::Tensor& bytes) override;
  Traffic traffic() const override { return {bytes_, thread_.seconds_waited()}; }

 private:
  enum Kind { for_all, for_owners, answers };
  static constexpr int kKinds = 3;
  struct Piece;
  struct Segment;

  // The caller's thread calls these.
  const std::vector<TreeNode>& own_nodes() const { return nodes_[static_cast<size_t>(index_)]; }
  int64_t item_bytes() const { return share_.narrow ? 2 : 4; }
  // Returns how many elements a lane of a piece can still take.
  int64_t room_for(const Piece& piece, int64_t lane) const;
  bool is_full(const Piece& piece) const;
  int64_t num_open() const { return std::ssize(open_[0]) + std::ssize(open_[1]) + std::ssize(open_[2]); }
  Piece& open_piece(Kind kind, int64_t lane, at::Device device);
  void make_room(Kind kind);
  void add(Kind kind, const Transfer& transfer);
  void stage(Piece& piece, const Segment& segment) const;
  void launch(Kind kind);
  int64_t sent_bytes(const Piece& piece) const;
  void finish(Kind kind, const void* transfer);
  void take(Piece& piece, const void* only);
  void take_out(const Piece& piece, Segment& segment) const;

  // The exchange's thread calls these.
  void send(Piece& piece);
  static void append_row(const Piece& piece, int64_t node, int64_t process, std::vector<at::Tensor>& sent);
  void send_sums(Piece& piece);
  void send_answers(Piece& piece);
  void advance();
  void add_nodes(Piece& piece);
  void complete_gathered();
  void complete(Piece& piece);

  Group& group_;
  int64_t index_, size_;
  int64_t piece_elements_, window_;
  UpdateShare share_;
  std::vector<std::vector<TreeNode>> nodes_;                     // of each process
  std::array<std::deque<std::unique_ptr<Piece>>, kKinds> open_;  // of each kind, not full, the oldest first
  std::deque<std::unique_ptr<Piece>> pieces_;                    // that were launched and hold numbers
  std::vector<std::unique_ptr<Piece>> spare_;                    // with buffers to use again
  int64_t bytes_ = 0;                                            // sent by this process

  std::deque<Piece*> sent_, gathered_;  // operations that are under way
  std::vector<at::Tensor> received_;    // buffers to use again
  JobThread thread_;                    // declared last, so that it ends first
};

}  // namespace galore
