#include "distributed/exchange.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/errors.h"

namespace galore {
namespace {

constexpr int64_t kSent = 2;  // pieces that are awaited while the next one is sent

// ATen would add long tensors by threads of its own, which the caller's computation needs.
void add_alone(const at::Tensor& sum, const at::Tensor& other) {
  const int64_t run = sum.is_cpu() ? int64_t{1} << 14 : sum.numel();
  for (int64_t from = 0; from < sum.numel(); from += run) {
    const int64_t count = std::min(run, sum.numel() - from);
    sum.narrow(0, from, count).add_(other.narrow(0, from, count));  // the sum of bf16 numbers is rounded once
  }
}

}  // namespace

struct Exchange::Segment {
  Transfer transfer;
  int64_t lane = 0;
  int64_t from = 0, count = 0;     // in the transfer
  int64_t place = 0, in_lane = 0;  // in the piece, and among the segments of its lane
};

struct Exchange::Piece {
  Kind kind = for_all;
  std::vector<Segment> segments;
  std::vector<int64_t> lanes;  // their elements; sums for all fill the first lane
  int64_t rows = 1;            // tree nodes of this process
  int64_t elements = 0, part = 0;
  at::Tensor bytes;  // of all rows, and in the end of the results
  at::ScalarType dtype = at::kByte;
  at::Tensor received;
  std::unique_ptr<Pending> sending, gathering;
  // Whether the numbers are there. Jobs that come late see the flag of their own launch.
  std::shared_ptr<bool> complete;

  bool holds(const void* transfer) const {
    return std::any_of(segments.begin(), segments.end(),
                       [&](const Segment& s) { return s.transfer.is_of(transfer); });
  }
  at::Tensor flat() const { return bytes.view(dtype); }
  at::Tensor row(int64_t node) const {
    const at::Tensor all = flat();
    const int64_t width = all.numel() / rows;
    return all.narrow(0, node * width, width);
  }
};

Exchange::Exchange(Group& group, int64_t index, int64_t size, Explain explain, int64_t piece_elements,
                   int64_t window)
    : group_(group),
      index_(index),
      size_(size),
      piece_elements_(piece_elements),
      window_(std::max(window, kSent + 2)),
      thread_([explain = std::move(explain)](const std::exception& error) {
        return std::make_exception_ptr(LostProcess(explain(error)));
      }) {}

Exchange::~Exchange() = default;

void Exchange::begin_update(const UpdateShare& share) {
  GALORE_ASSERT(pieces_.empty() && num_open() == 0);
  share_ = share;
  nodes_.clear();
  for (int64_t process = 0; process < size_; ++process) {
    const UpdateShare other = share.of_process(process);
    nodes_.push_back(largest_nodes(share.leaves(), {other.first_group(), other.end_group()}));
  }
}

// Lanes are equal parts of a piece, so that all links are busy while it is under way.
int64_t Exchange::room_for(const Piece& piece, int64_t lane) const {
  const int64_t units = piece.kind == answers ? item_bytes() : 1;
  const int64_t most =
      piece.kind == for_all ? piece_elements_ : std::max<int64_t>(1, piece_elements_ / size_);
  return units * most - piece.lanes[static_cast<size_t>(lane)];
}

bool Exchange::is_full(const Piece& piece) const {
  for (int64_t lane = 0; lane < (piece.kind == for_all ? 1 : size_); ++lane)
    if (room_for(piece, lane) > 0) return false;
  return true;
}

void Exchange::begin(GradientSum& sum) {
  GALORE_ASSERT(sum.partials.size() == own_nodes().size());
  add(sum.owner == kEveryProcess ? for_all : for_owners, Transfer(sum));
}

void Exchange::begin(OwnerAnswer& answer) { add(answers, Transfer(answer)); }

void Exchange::add(Kind kind, const Transfer& transfer) {
  const int64_t lane = std::max(0, transfer.owner());
  for (int64_t from = 0; from < transfer.size();) {
    Piece& piece = open_piece(kind, lane, transfer.device());
    int64_t& filled = piece.lanes[static_cast<size_t>(lane)];
    const int64_t count = std::min(transfer.size() - from, room_for(piece, lane));
    piece.segments.push_back({transfer, lane, from, count, piece.elements, filled});
    stage(piece, piece.segments.back());
    from += count;
    filled += count;
    piece.elements += count;
    while (!open_[kind].empty() && is_full(*open_[kind].front())) launch(kind);
  }
}

// Several pieces are open, and a transfer goes into the first ones with room in its lane. So the weights of
// several owners share a piece, even if one weight is larger than a lane, and the first piece is full first.
Exchange::Piece& Exchange::open_piece(Kind kind, int64_t lane, at::Device device) {
  auto& open = open_[kind];
  for (const auto& piece : open)
    if (room_for(*piece, lane) > 0) return *piece;
  if (std::ssize(open) >= window_ / 2) launch(kind);
  make_room(kind);
  if (spare_.empty()) spare_.push_back(std::make_unique<Piece>());
  open.push_back(std::move(spare_.back()));
  spare_.pop_back();
  Piece& piece = *open.back();
  const int64_t nodes = std::max<int64_t>(1, std::ssize(own_nodes()));
  piece.kind = kind;
  piece.lanes.assign(static_cast<size_t>(size_), 0);
  piece.rows = kind == answers ? 1 : nodes;
  piece.elements = 0;
  piece.dtype = kind == answers ? at::kByte : share_.narrow ? at::kBFloat16 : at::kFloat;
  // Parts of equal sizes may end after the piece.
  const int64_t bytes = nodes * (piece_elements_ + size_) * item_bytes();
  if (!piece.bytes.defined() || piece.bytes.numel() != bytes || piece.bytes.device() != device)
    piece.bytes = at::empty({bytes}, at::dtype(at::kByte).device(device));
  return piece;
}

// Takes the numbers of the oldest pieces until one more may be opened.
void Exchange::make_room(Kind kind) {
  for (; is_crowded(); pieces_.pop_front()) {
    for (int k = kind; pieces_.empty(); k = (k + 1) % kKinds)
      if (!open_[k].empty()) launch(static_cast<Kind>(k));
    take(*pieces_.front(), nullptr);
    spare_.push_back(std::move(pieces_.front()));
  }
}

void Exchange::stage(Piece& piece, const Segment& segment) const {
  const bool is_answer = piece.kind == answers;
  if (is_answer && segment.lane != index_) return;
  for (int64_t node = 0; node < (is_answer ? 1 : std::ssize(own_nodes())); ++node)
    segment.transfer.give(node, segment.from, piece.row(node).narrow(0, segment.place, segment.count));
}

void Exchange::launch(Kind kind) {
  Piece& piece = *open_[kind].front();
  piece.part = (piece.lanes[0] + size_ - 1) / size_;
  piece.complete = std::make_shared<bool>(false);
  bytes_ += sent_bytes(piece);
  pieces_.push_back(std::move(open_[kind].front()));
  open_[kind].pop_front();
  thread_.push([this, &piece] { send(piece); });
}

int64_t Exchange::sent_bytes(const Piece& piece) const {
  const int64_t nodes = std::ssize(own_nodes()), own = piece.lanes[static_cast<size_t>(index_)];
  if (piece.kind == for_all) return (size_ - 1) * (nodes + 1) * piece.part * item_bytes();
  if (piece.kind == answers) return (size_ - 1) * own;
  return nodes * (std::reduce(piece.lanes.begin(), piece.lanes.end()) - own) * item_bytes();
}

void Exchange::send(Piece& piece) {
  piece.kind == answers ? send_answers(piece) : send_sums(piece);
  sent_.push_back(&piece);
  if (std::ssize(sent_) > kSent) advance();
}

// Appends the sums of one row that `process` adds.
void Exchange::append_row(const Piece& piece, int64_t node, int64_t process, std::vector<at::Tensor>& sent) {
  const at::Tensor row = piece.row(node);
  if (piece.kind == for_all) return sent.push_back(row.narrow(0, process * piece.part, piece.part));
  for (const Segment& segment : piece.segments)
    if (segment.lane == process) sent.push_back(row.narrow(0, segment.place, segment.count));
}

void Exchange::send_sums(Piece& piece) {
  const int64_t nodes = std::ssize(own_nodes());
  if (piece.kind == for_owners) piece.part = piece.lanes[static_cast<size_t>(index_)];
  std::vector<int64_t> sent_counts, received_counts;
  std::vector<at::Tensor> sent{piece.flat().narrow(0, 0, 0)};
  for (int64_t process = 0; process < size_; ++process) {
    const auto to = static_cast<size_t>(process);
    for (int64_t node = 0; node < nodes; ++node) append_row(piece, node, process, sent);
    sent_counts.push_back(nodes * (piece.kind == for_all ? piece.part : piece.lanes[to]));
    received_counts.push_back(std::ssize(nodes_[to]) * piece.part);
  }
  const int64_t received = std::reduce(received_counts.begin(), received_counts.end()) * item_bytes();
  if (!received_.empty()) {
    piece.received = std::move(received_.back());
    received_.pop_back();
  }
  if (!piece.received.defined() || piece.received.numel() < received ||
      piece.received.device() != piece.bytes.device())
    piece.received = at::empty({received}, piece.bytes.options());
  // With one row, the parts of all processes are in a row already.
  const bool is_joined = piece.kind == for_all && nodes == 1;
  piece.sending = group_.all_to_all(piece.received.narrow(0, 0, received).view(piece.dtype),
                                    is_joined ? piece.flat().narrow(0, 0, size_ * piece.part) : at::cat(sent),
                                    received_counts, sent_counts);
}

// The answers of the others stand one after the other where this process's own answers stood.
void Exchange::send_answers(Piece& piece) {
  const auto own = static_cast<size_t>(index_);
  std::vector<int64_t> sent_counts(piece.lanes.size(), piece.lanes[own]), received_counts = piece.lanes;
  sent_counts[own] = received_counts[own] = 0;
  std::vector<at::Tensor> sent{piece.flat().narrow(0, 0, 0)};
  for (int64_t process = 1; process < size_; ++process) append_row(piece, 0, index_, sent);
  piece.sending = group_.all_to_all(
      piece.flat().narrow(0, 0, std::reduce(received_counts.begin(), received_counts.end())), at::cat(sent),
      received_counts, sent_counts);
}

// Waits for the piece that was sent first.
void Exchange::advance() {
  Piece& piece = *sent_.front();
  sent_.pop_front();
  piece.sending->wait();
  piece.sending.reset();
  if (piece.kind == answers) return complete(piece);
  if (piece.part > 0) add_nodes(piece);
  if (piece.kind == for_owners) return complete(piece);
  piece.gathering = group_.all_gather(piece.row(0).narrow(0, 0, size_ * piece.part),
                                      piece.received.view(piece.dtype).narrow(0, 0, piece.part));
  gathered_.push_back(&piece);
  if (gathered_.size() > 1) complete_gathered();
}

// Adds the nodes of all processes in the part of this process. The sum stands where the first node stood.
void Exchange::add_nodes(Piece& piece) {
  const int64_t usable = piece.received.numel() / item_bytes();
  const at::Tensor received = piece.received.narrow(0, 0, usable * item_bytes()).view(piece.dtype);
  std::vector<at::Tensor> values;
  TreeSum tree(share_.leaves());
  int64_t place = 0;
  for (const auto& nodes : nodes_)
    for (const TreeNode& node : nodes) {
      values.push_back(received.narrow(0, piece.part * place++, piece.part));
      tree.push(node, [&](size_t i) {
        add_alone(values[i], values.back());
        values.pop_back();
      });
    }
  GALORE_ASSERT(values.size() == 1);
  if (piece.kind == for_owners) piece.flat().narrow(0, 0, piece.part).copy_(values[0]);
}

void Exchange::complete_gathered() {
  Piece& piece = *gathered_.front();
  gathered_.pop_front();
  piece.gathering->wait();
  piece.gathering.reset();
  complete(piece);
}

void Exchange::complete(Piece& piece) {
  if (piece.received.defined()) received_.push_back(std::move(piece.received));
  thread_.set(*piece.complete);
}

// Copies the numbers of one transfer, or of all transfers, out of the piece.
void Exchange::take(Piece& piece, const void* only) {
  thread_.push([this, &piece, complete = piece.complete] {
    while (!*complete) piece.gathering ? complete_gathered() : advance();
  });
  thread_.wait_for(*piece.complete);
  std::erase_if(piece.segments, [&](Segment& segment) {
    if (only && !segment.transfer.is_of(only)) return false;
    take_out(piece, segment);
    return true;
  });
}

void Exchange::take_out(const Piece& piece, Segment& segment) const {
  const bool is_mine = segment.lane == index_;
  if (piece.kind == answers ? is_mine : piece.kind == for_owners && !is_mine) return;
  int64_t place = segment.in_lane;
  for (int64_t lane = 0; lane < segment.lane; ++lane)  // answers of the lanes before
    if (piece.kind == answers && lane != index_) place += piece.lanes[static_cast<size_t>(lane)];
  segment.transfer.take(segment.from, piece.flat().narrow(0, place, segment.count));
}

void Exchange::finish(GradientSum& sum) { finish(sum.owner == kEveryProcess ? for_all : for_owners, &sum); }

void Exchange::finish(OwnerAnswer& answer) { finish(answers, &answer); }

void Exchange::finish(Kind kind, const void* transfer) {
  const auto& open = open_[kind];
  while (std::any_of(open.begin(), open.end(), [&](const auto& piece) { return piece->holds(transfer); }))
    launch(kind);
  for (auto& piece : pieces_) {
    if (!piece->holds(transfer)) continue;
    take(*piece, transfer);
    if (piece->segments.empty()) spare_.push_back(std::move(piece));
  }
  std::erase(pieces_, nullptr);
}

std::vector<double> Exchange::gather(const std::vector<double>& own) {
  const auto count = static_cast<int64_t>(own.size());
  std::vector<double> all(own.size() * static_cast<size_t>(size_));
  const at::Tensor sent = at::tensor(own, at::kDouble);
  const at::Tensor received = at::empty({count * size_}, at::kDouble);
  thread_.push([&] { group_.all_gather(received, sent)->wait(); });
  thread_.wait();
  std::copy_n(received.const_data_ptr<double>(), all.size(), all.begin());
  return all;
}

std::string Exchange::text_of(int process, const std::string& text) {
  const auto length =
      static_cast<int64_t>(gather({static_cast<double>(text.size())})[static_cast<size_t>(process)]);
  const at::Tensor bytes = at::zeros({length}, at::kByte);
  if (bytes.numel() == 0) return "";
  if (index_ == process) std::copy(text.begin(), text.end(), bytes.mutable_data_ptr<uint8_t>());
  thread_.push([&] { group_.broadcast(bytes, process)->wait(); });
  thread_.wait();
  const uint8_t* data = bytes.const_data_ptr<uint8_t>();
  return {data, data + bytes.numel()};
}

void Exchange::bring_to_first(int from, const at::Tensor& bytes) {
  const bool gives = index_ == from, takes = index_ == 0;
  if (from == 0) return;
  const at::Tensor none = at::empty({0}, at::kByte);
  std::vector<int64_t> sent_counts(static_cast<size_t>(size_), 0), received_counts = sent_counts;
  (gives ? sent_counts[0] : received_counts[static_cast<size_t>(from)]) = gives || takes ? bytes.numel() : 0;
  thread_.push([&] {
    group_.all_to_all(takes ? bytes : none, gives ? bytes : none, received_counts, sent_counts)->wait();
  });
  thread_.wait();
}

}  // namespace galore
