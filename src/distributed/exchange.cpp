#include "distributed/exchange.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/clock.h"
#include "core/errors.h"

namespace galore {
namespace {

constexpr int64_t kScattered = 2;  // sums by others that are awaited while the next piece is sent

// ATen would add long tensors by threads of its own, which the caller's computation needs.
void add_alone(const at::Tensor& sum, const at::Tensor& other) {
  const int64_t run = sum.is_cpu() ? int64_t{1} << 14 : sum.numel();
  for (int64_t from = 0; from < sum.numel(); from += run) {
    const int64_t count = std::min(run, sum.numel() - from);
    sum.narrow(0, from, count).add_(other.narrow(0, from, count));  // the sum of bf16 numbers is rounded once
  }
}

}  // namespace

struct Exchange::Piece {
  std::vector<Segment> segments;
  int64_t elements = 0, part = 0;  // of the piece, and of a process's part
  at::Tensor staged;               // nodes x elements; its first row receives the sum
  at::Tensor received;             // a process's part of all nodes
  std::unique_ptr<Pending> scatter, gather;
  bool complete = false;

  bool holds(const GradientSum& sum) const {
    return std::any_of(segments.begin(), segments.end(), [&](const Segment& s) { return s.sum == &sum; });
  }
};

Exchange::Exchange(Group& group, int64_t index, int64_t size, Explain explain, int64_t piece_elements,
                   int64_t window)
    : group_(group),
      index_(index),
      size_(size),
      explain_(std::move(explain)),
      piece_elements_(piece_elements),
      window_(std::max(window, kScattered + 2)),
      thread_([this] { work(); }) {}

Exchange::~Exchange() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Exchange::begin_update(const UpdateShare& share) {
  GALORE_ASSERT(!open_ && pieces_.empty());
  share_ = share;
  nodes_.clear();
  for (int64_t process = 0; process < size_; ++process) {
    const UpdateShare other = share.of_process(process);
    nodes_.push_back(largest_nodes(share.leaves(), {other.first_group(), other.end_group()}));
  }
}

void Exchange::begin(GradientSum& sum) {
  GALORE_ASSERT(sum.partials.size() == own_nodes().size());
  const int64_t elements = sum.total.numel() + 1;
  for (int64_t from = 0; from < elements;) {
    Piece& piece = open_piece();
    const int64_t count = std::min(elements - from, piece_elements_ - piece.elements);
    piece.segments.push_back({&sum, from, count, piece.elements});
    stage(piece, piece.segments.back());
    piece.elements += count;
    from += count;
    if (piece.elements == piece_elements_) launch();
  }
}

Exchange::Piece& Exchange::open_piece() {
  if (open_) return *open_;
  if (spare_.empty()) spare_.push_back(std::make_unique<Piece>());
  open_ = std::move(spare_.back());
  spare_.pop_back();
  open_->elements = 0;
  open_->complete = false;
  return *open_;
}

void Exchange::stage(Piece& piece, const Segment& segment) const {
  const GradientSum& sum = *segment.sum;
  const auto rows = std::max<int64_t>(1, std::ssize(own_nodes()));
  const auto dtype = share_.narrow ? at::kBFloat16 : at::kFloat;
  if (!piece.staged.defined() || piece.staged.size(0) != rows || piece.staged.scalar_type() != dtype)
    // Parts of equal sizes may end after the piece.
    piece.staged = at::empty({rows, piece_elements_ + size_}, sum.total.options().dtype(dtype));
  const int64_t numel = sum.total.numel(), count = std::min(segment.count, numel - segment.from);
  for (size_t node = 0; node < sum.partials.size(); ++node) {
    const at::Tensor row = piece.staged[static_cast<int64_t>(node)].narrow(0, segment.place, segment.count);
    if (count > 0) row.narrow(0, 0, count).copy_(sum.partials[node].view(-1).narrow(0, segment.from, count));
    if (count < segment.count) row[count].fill_(sum.reported ? 1 : 0);
  }
}

void Exchange::launch() {
  // The oldest piece is complete by then, so this frees it without another operation.
  while (is_crowded()) {
    take(*pieces_.front(), nullptr);
    spare_.push_back(std::move(pieces_.front()));
    pieces_.pop_front();
  }
  Piece& piece = *open_;
  piece.part = (piece.elements + size_ - 1) / size_;
  traffic_.bytes += (size_ - 1) * (std::ssize(own_nodes()) + 1) * piece.part * piece.staged.element_size();
  pieces_.push_back(std::move(open_));
  ++launched_;
  complete_ = std::max(complete_, launched_ - 1 - kScattered);
  push([this, &piece] { scatter(piece); });
}

void Exchange::scatter(Piece& piece) {
  std::vector<int64_t> received_counts;
  const auto own = std::ssize(own_nodes());
  for (const auto& nodes : nodes_) received_counts.push_back(std::ssize(nodes) * piece.part);
  const std::vector<int64_t> sent_counts(nodes_.size(), own * piece.part);
  const int64_t received = std::accumulate(received_counts.begin(), received_counts.end(), int64_t{0});
  at::Tensor sent = piece.staged.narrow(0, 0, own).narrow(1, 0, size_ * piece.part);
  if (own > 1) sent = sent.unflatten(1, {size_, piece.part}).transpose(0, 1);
  if (!received_.empty()) {
    piece.received = std::move(received_.back());
    received_.pop_back();
  }
  if (!piece.received.defined() || piece.received.numel() < received ||
      piece.received.dtype() != sent.dtype())
    piece.received = at::empty({received}, sent.options());
  piece.scatter = group_.all_to_all(piece.received.narrow(0, 0, received), sent.contiguous().view(-1),
                                    received_counts, sent_counts);
  scattered_.push_back(&piece);
  if (std::ssize(scattered_) > kScattered) sum_first();
}

// Adds the nodes of all processes in the part of this process and sends the sum to all.
void Exchange::sum_first() {
  Piece& piece = *scattered_.front();
  scattered_.pop_front();
  piece.scatter->wait();
  std::vector<at::Tensor> values;
  TreeSum tree(share_.leaves());
  int64_t place = 0;
  for (const auto& nodes : nodes_)
    for (const TreeNode& node : nodes) {
      values.push_back(piece.received.narrow(0, piece.part * place++, piece.part));
      tree.push(node, [&](size_t i) {
        add_alone(values[i], values.back());
        values.pop_back();
      });
    }
  GALORE_ASSERT(values.size() == 1);
  piece.gather = group_.all_gather(piece.staged[0].narrow(0, 0, size_ * piece.part), values[0]);
  gathered_.push_back(&piece);
  if (gathered_.size() > 1) complete_first();
}

void Exchange::complete_first() {
  Piece& piece = *gathered_.front();
  gathered_.pop_front();
  piece.gather->wait();
  piece.scatter.reset();
  piece.gather.reset();
  received_.push_back(std::move(piece.received));
  const std::lock_guard lock(mutex_);
  piece.complete = true;
  changed_.notify_all();
}

// Copies the numbers of a sum, or of all sums, out of the piece.
void Exchange::take(Piece& piece, const GradientSum* only) {
  wait_until([&] { return piece.complete; });
  std::erase_if(piece.segments, [&](const Segment& segment) {
    GradientSum& sum = *segment.sum;
    if (only && only != &sum) return false;
    const int64_t numel = sum.total.numel(), count = std::min(segment.count, numel - segment.from);
    const at::Tensor row = piece.staged[0].narrow(0, segment.place, segment.count);
    if (count > 0) sum.total.view(-1).narrow(0, segment.from, count).copy_(row.narrow(0, 0, count));
    if (count < segment.count) sum.reported = row[count].item<float>() > 0;
    return true;
  });
}

void Exchange::finish(GradientSum& sum) {
  if (open_ && open_->holds(sum)) launch();
  const int64_t first = launched_ - std::ssize(pieces_);
  int64_t end = first;  // of the pieces that hold the sum
  for (int64_t i = first; i < launched_; ++i)
    if (pieces_[static_cast<size_t>(i - first)]->holds(sum)) end = i + 1;
  if (end > complete_) {
    complete_ = launched_;
    push([this] {
      while (!scattered_.empty()) sum_first();
      while (!gathered_.empty()) complete_first();
    });
  }
  for (int64_t i = first; i < end; ++i) {
    take(*pieces_.front(), &sum);
    if (!pieces_.front()->segments.empty()) break;
    spare_.push_back(std::move(pieces_.front()));
    pieces_.pop_front();
  }
}

void Exchange::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    busy_ = false;
    changed_.notify_all();
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    busy_ = true;
    const auto job = std::move(jobs_.front());
    jobs_.pop_front();
    if (failure_) continue;
    lock.unlock();
    std::exception_ptr failure;
    try {
      job();
    } catch (const std::exception& error) {
      failure = std::make_exception_ptr(LostProcess(explain_(error)));
    }
    lock.lock();
    failure_ = failure;
  }
}

void Exchange::wait_until(const std::function<bool()>& condition) {
  const double start = steady_seconds();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || condition(); });
  traffic_.seconds += steady_seconds() - start;
  if (failure_) std::rethrow_exception(failure_);
}

void Exchange::push(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  changed_.notify_all();
}

void Exchange::do_now(std::function<void()> job) {
  push(std::move(job));
  wait_until([this] { return jobs_.empty() && !busy_; });
}

std::vector<double> Exchange::gather(const std::vector<double>& own) {
  const auto count = static_cast<int64_t>(own.size());
  std::vector<double> all(own.size() * static_cast<size_t>(size_));
  const at::Tensor sent = at::tensor(own, at::kDouble);
  const at::Tensor received = at::empty({count * size_}, at::kDouble);
  do_now([&] { group_.all_gather(received, sent)->wait(); });
  std::copy_n(received.const_data_ptr<double>(), all.size(), all.begin());
  return all;
}

std::string Exchange::text_of_first(const std::string& text) {
  const auto length = static_cast<int64_t>(gather({static_cast<double>(text.size())}).front());
  const at::Tensor bytes = at::zeros({length}, at::kByte);
  if (bytes.numel() == 0) return "";
  if (index_ == 0) std::copy(text.begin(), text.end(), bytes.mutable_data_ptr<uint8_t>());
  do_now([&] { group_.broadcast(bytes, 0)->wait(); });
  const uint8_t* data = bytes.const_data_ptr<uint8_t>();
  return {data, data + bytes.numel()};
}

}  // namespace galore
