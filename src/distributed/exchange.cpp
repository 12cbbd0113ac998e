#include "distributed/exchange.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "core/errors.h"

namespace galore {
namespace {

constexpr size_t kUnderWay = 2;

// Returns the first `count` elements of a buffer, which grows if it is too small.
at::Tensor part_of(at::Tensor& buffer, int64_t count, const at::TensorOptions& options) {
  if (!buffer.defined() || buffer.numel() < count || buffer.scalar_type() != options.dtype().toScalarType())
    buffer = at::empty({count}, options);
  return buffer.narrow(0, 0, count);
}

}  // namespace

struct Exchange::Piece {
  std::vector<Segment> segments;
  int64_t part = 0;  // elements of a process's part
  at::Tensor sent_buffer, received_buffer, total_buffer;
  at::Tensor sent, received;  // processes x nodes x part
  at::Tensor total;           // processes x part
  std::unique_ptr<Pending> scatter, gather;
};

Exchange::Exchange(Group& group, int64_t index, int64_t size, Explain explain, int64_t piece_elements)
    : group_(group),
      index_(index),
      size_(size),
      explain_(std::move(explain)),
      piece_elements_(piece_elements) {}

Exchange::~Exchange() = default;

template <typename Operation>
auto Exchange::guarded(const Operation& operation) const {
  try {
    return operation();
  } catch (const std::exception& error) {
    throw LostProcess(explain_(error));
  }
}

void Exchange::wait(Pending& pending) {
  const double start = steady_seconds();
  guarded([&] { pending.wait(); });
  traffic_.seconds += steady_seconds() - start;
}

void Exchange::begin_update(const UpdateShare& share) {
  GALORE_ASSERT(open_.empty() && under_way_.empty());
  share_ = share;
  nodes_.clear();
  for (int64_t process = 0; process < size_; ++process) {
    const UpdateShare other = share.of_process(process);
    nodes_.push_back(largest_nodes(share.leaves(), {other.first_group(), other.end_group()}));
  }
}

void Exchange::begin(GradientSum& sum) {
  GALORE_ASSERT(sum.partials.size() == nodes_[static_cast<size_t>(index_)].size());
  const int64_t elements = sum.total.numel() + 1;
  for (int64_t from = 0; from < elements;) {
    const int64_t count = std::min(elements - from, piece_elements_ - open_elements_);
    open_.push_back({&sum, from, count, open_elements_});
    open_elements_ += count;
    from += count;
    if (open_elements_ == piece_elements_) launch();
  }
}

void Exchange::launch() {
  if (open_.empty()) return;
  if (under_way_.size() >= kUnderWay && !under_way_[under_way_.size() - kUnderWay]->gather)
    add_own_part(*under_way_[under_way_.size() - kUnderWay]);
  auto piece = std::make_unique<Piece>();
  if (!spare_.empty()) {
    piece = std::move(spare_.back());
    spare_.pop_back();
  }
  piece->segments = std::exchange(open_, {});
  piece->part = (std::exchange(open_elements_, 0) + size_ - 1) / size_;
  pack(*piece);
  std::vector<int64_t> received_counts, sent_counts;
  const auto own = static_cast<int64_t>(nodes_[static_cast<size_t>(index_)].size());
  for (const auto& nodes : nodes_) {
    received_counts.push_back(static_cast<int64_t>(nodes.size()) * piece->part);
    sent_counts.push_back(own * piece->part);
  }
  traffic_.bytes += (size_ - 1) * own * piece->part * piece->sent.element_size();
  guarded([&] {
    piece->scatter = group_.all_to_all(piece->received, piece->sent.flatten(), received_counts, sent_counts);
  });
  under_way_.push_back(std::move(piece));
}

// Copies the sums of this process's nodes into one part for each process. The last parts may be longer than
// the rest of the piece; nobody reads the numbers there.
void Exchange::pack(Piece& piece) const {
  const auto own = static_cast<int64_t>(nodes_[static_cast<size_t>(index_)].size());
  int64_t all = 0;
  for (const auto& nodes : nodes_) all += static_cast<int64_t>(nodes.size());
  const auto options =
      piece.segments.front().sum->total.options().dtype(share_.narrow ? at::kBFloat16 : at::kFloat);
  piece.sent = part_of(piece.sent_buffer, size_ * own * piece.part, options).view({size_, own, piece.part});
  piece.received = part_of(piece.received_buffer, all * piece.part, options);
  piece.total = part_of(piece.total_buffer, size_ * piece.part, options);
  for (const Segment& segment : piece.segments)
    for (int64_t done = 0; done < segment.count;) {
      const int64_t place = segment.place + done, process = place / piece.part, inside = place % piece.part;
      const int64_t numel = segment.sum->total.numel(), from = segment.from + done;
      const bool is_report = from == numel;
      const int64_t count =
          is_report ? 1 : std::min({segment.count - done, piece.part - inside, numel - from});
      for (int64_t node = 0; node < own; ++node) {
        at::Tensor target = piece.sent.select(0, process).select(0, node).narrow(0, inside, count);
        if (is_report)
          target.fill_(segment.sum->reported ? 1 : 0);
        else
          target.copy_(segment.sum->partials[static_cast<size_t>(node)].view(-1).narrow(0, from, count));
      }
      done += count;
    }
}

// Adds the nodes of all processes in the part of this process and sends the sum to all.
void Exchange::add_own_part(Piece& piece) {
  wait(*piece.scatter);
  std::vector<at::Tensor> values;
  TreeSum tree(share_.leaves());
  int64_t place = 0;
  for (const auto& nodes : nodes_)
    for (const TreeNode& node : nodes) {
      values.push_back(piece.received.narrow(0, piece.part * place++, piece.part));
      tree.push(node, [&](size_t i) {
        values[i].add_(values.back());  // the sum of two bf16 numbers is rounded once
        values.pop_back();
      });
    }
  GALORE_ASSERT(values.size() == 1);
  traffic_.bytes += (size_ - 1) * piece.part * piece.sent.element_size();
  guarded([&] { piece.gather = group_.all_gather(piece.total, values[0]); });
}

void Exchange::unpack(const Piece& piece) const {
  for (const Segment& segment : piece.segments) {
    const int64_t numel = segment.sum->total.numel(), end = segment.from + segment.count;
    const int64_t count = std::min(end, numel) - segment.from;
    if (count > 0)
      segment.sum->total.view(-1)
          .narrow(0, segment.from, count)
          .copy_(piece.total.narrow(0, segment.place, count));
    if (end > numel) segment.sum->reported = piece.total[segment.place + segment.count - 1].item<float>() > 0;
  }
}

void Exchange::complete_first() {
  std::unique_ptr<Piece> piece = std::move(under_way_.front());
  under_way_.pop_front();
  if (!piece->gather) add_own_part(*piece);
  wait(*piece->gather);
  unpack(*piece);
  piece->scatter.reset();
  piece->gather.reset();
  spare_.push_back(std::move(piece));
}

void Exchange::finish(GradientSum& sum) {
  const auto belongs = [&](const Segment& segment) { return segment.sum == &sum; };
  if (std::any_of(open_.begin(), open_.end(), belongs)) launch();
  const auto is_under_way = [&] {
    return std::any_of(under_way_.begin(), under_way_.end(), [&](const auto& piece) {
      return std::any_of(piece->segments.begin(), piece->segments.end(), belongs);
    });
  };
  while (is_under_way()) complete_first();
}

std::vector<double> Exchange::gather(const std::vector<double>& own) {
  const auto count = static_cast<int64_t>(own.size());
  std::vector<double> all(own.size() * static_cast<size_t>(size_));
  const at::Tensor sent = at::tensor(own, at::kDouble);
  const at::Tensor received = at::empty({count * size_}, at::kDouble);
  wait(*guarded([&] { return group_.all_gather(received, sent); }));
  std::copy_n(received.const_data_ptr<double>(), all.size(), all.begin());
  return all;
}

std::string Exchange::text_of_first(const std::string& text) {
  const double length = gather({static_cast<double>(text.size())}).front();
  at::Tensor bytes = at::zeros({static_cast<int64_t>(length)}, at::kByte);
  if (bytes.numel() == 0) return "";
  if (index_ == 0) std::copy(text.begin(), text.end(), bytes.mutable_data_ptr<uint8_t>());
  wait(*guarded([&] { return group_.broadcast(bytes, 0); }));
  const uint8_t* data = bytes.const_data_ptr<uint8_t>();
  return {data, data + bytes.numel()};
}

}  // namespace galore
