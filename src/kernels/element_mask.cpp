#include "kernels/element_mask.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <vector>

#include "core/errors.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

// The number of elements that one thread takes at once; a multiple of 32, so that no two threads write one
// word.
constexpr int64_t kPiece = 65536;

template <typename Function>
void in_pieces(int64_t elements, const Function& function) {
  at::parallel_for(0, (elements + kPiece - 1) / kPiece, 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece)
      function(piece, piece * kPiece, std::min(elements, (piece + 1) * kPiece));
  });
}

// Calls function(element, its number) in order.
template <typename Function>
void for_numbers(const RandomStream& stream, int64_t begin, int64_t end, const Function& function) {
  for (int64_t first = begin; first < end; first += 4) {
    const auto words = stream.block(static_cast<uint64_t>(first / 4));
    for (int64_t i = first; i < std::min(end, first + 4); ++i)
      function(i, words[static_cast<size_t>(i - first)]);
  }
}

constexpr size_t kBuckets = 65536;

// Returns the upper or lower half-word of the number with rank `rank`, and how many numbers have a smaller
// half-word. half(number) returns kBuckets for numbers that are left out.
template <typename Half>
std::pair<uint32_t, int64_t> half_word_of_rank(int64_t elements, int64_t rank, const RandomStream& stream,
                                               const Half& half) {
  std::vector<int64_t> counts(kBuckets + 1);
  std::mutex mutex;
  at::parallel_for(0, (elements + 3) / 4, kPiece, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> own(kBuckets + 1);
    for_numbers(stream, 4 * begin, std::min(elements, 4 * end),
                [&](int64_t, uint32_t number) { ++own[half(number)]; });
    const std::lock_guard lock(mutex);
    for (size_t i = 0; i < own.size(); ++i) counts[i] += own[i];
  });
  int64_t below = 0;
  uint32_t found = 0;
  while (below + counts[found] <= rank) below += counts[found++];
  return {found, below};
}

// Returns the number with rank `rank` (from 0), and the rank of the first number equal to it.
std::pair<uint32_t, int64_t> number_of_rank(int64_t elements, int64_t rank, const RandomStream& stream) {
  const auto [high, below_high] =
      half_word_of_rank(elements, rank, stream, [](uint32_t number) { return size_t{number >> 16}; });
  const auto [low, below_low] = half_word_of_rank(
      elements, rank - below_high, stream,
      [high = high](uint32_t number) { return number >> 16 == high ? size_t{number & 0xffff} : kBuckets; });
  return {high << 16 | low, below_high + below_low};
}

// Returns where the marked elements of each piece begin in the packed tensor.
std::vector<int64_t> piece_offsets(const uint32_t* mask, int64_t elements) {
  std::vector<int64_t> offsets{0};
  for (int64_t first = 0; first < elements; first += kPiece) {
    int64_t marked = 0;
    for (int64_t word = first / 32; word < mask_words(std::min(elements, first + kPiece)); ++word)
      marked += std::popcount(mask[word]);
    offsets.push_back(offsets.back() + marked);
  }
  return offsets;
}

const uint32_t* words_of(const at::Tensor& mask) {
  return reinterpret_cast<const uint32_t*>(mask.const_data_ptr<int32_t>());
}

// Calls function(element, its place in the packed tensor) for the marked elements.
template <typename Function>
void for_marked(const uint32_t* mask, int64_t begin, int64_t end, int64_t place, const Function& function) {
  for (int64_t word = begin / 32; word < mask_words(end); ++word)
    for (uint32_t bits = mask[word]; bits != 0; bits &= bits - 1)
      function(32 * word + std::countr_zero(bits), place++);
}

void check_mask(const at::Tensor& packed, const at::Tensor& x, const at::Tensor& mask) {
  GALORE_ASSERT(packed.is_contiguous() && x.is_contiguous() && mask.numel() == mask_words(x.numel()));
}

void mark_smallest_on_cpu(const at::Tensor& mask, int64_t elements, int64_t chosen,
                          const RandomStream& stream) {
  at::Tensor words = mask;
  words.zero_();
  if (chosen == 0) return;
  const auto rank = number_of_rank(elements, chosen - 1, stream);
  const auto last = std::get<0>(rank);
  const auto first_equal = std::get<1>(rank);
  auto* data = reinterpret_cast<uint32_t*>(words.mutable_data_ptr<int32_t>());
  std::vector<int64_t> equals;
  std::mutex mutex;
  in_pieces(elements, [&](int64_t, int64_t begin, int64_t end) {
    for_numbers(stream, begin, end, [&](int64_t i, uint32_t number) {
      if (number < last) data[i / 32] |= uint32_t{1} << (i % 32);
      if (number != last) return;
      const std::lock_guard lock(mutex);
      equals.push_back(i);
    });
  });
  std::sort(equals.begin(), equals.end());
  for (int64_t k = 0; k < chosen - first_equal; ++k) {
    const int64_t i = equals[static_cast<size_t>(k)];
    data[i / 32] |= uint32_t{1} << (i % 32);
  }
}

void mark_by_host(const at::Tensor& mask, int64_t elements, int64_t chosen, const RandomStream& stream) {
  const at::Tensor host = at::empty(mask.sizes(), at::kInt);
  mark_smallest_on_cpu(host, elements, chosen, stream);
  mask.copy_(host);
}

void gather_marked_on_cpu(at::Tensor& packed, const at::Tensor& x, const at::Tensor& mask) {
  const uint32_t* words = words_of(mask);
  const auto offsets = piece_offsets(words, x.numel());
  GALORE_ASSERT(packed.numel() == offsets.back());
  const float* from = x.const_data_ptr<float>();
  float* to = packed.mutable_data_ptr<float>();
  in_pieces(x.numel(), [&](int64_t piece, int64_t begin, int64_t end) {
    for_marked(words, begin, end, offsets[static_cast<size_t>(piece)],
               [&](int64_t i, int64_t place) { to[place] = from[i]; });
  });
}

void scatter_marked_on_cpu(at::Tensor& x, const at::Tensor& packed, const at::Tensor& mask) {
  const uint32_t* words = words_of(mask);
  const auto offsets = piece_offsets(words, x.numel());
  GALORE_ASSERT(packed.numel() == offsets.back());
  const float* from = packed.const_data_ptr<float>();
  float* to = x.mutable_data_ptr<float>();
  in_pieces(x.numel(), [&](int64_t piece, int64_t begin, int64_t end) {
    std::fill(to + begin, to + end, 0.0f);
    for_marked(words, begin, end, offsets[static_cast<size_t>(piece)],
               [&](int64_t i, int64_t place) { to[i] = from[place]; });
  });
}

const Operation<decltype(mark_smallest)> kMarkSmallest("mark_smallest", {.cpu = mark_smallest_on_cpu,
                                                                         .composed = mark_by_host});
const Operation<decltype(gather_marked)> kGatherMarked("gather_marked",
                                                       {.cpu = gather_marked_on_cpu,
                                                        .composed = composed::gather_marked});
const Operation<decltype(scatter_marked)> kScatterMarked("scatter_marked",
                                                         {.cpu = scatter_marked_on_cpu,
                                                          .composed = composed::scatter_marked});

}  // namespace

void mark_smallest(const at::Tensor& mask, int64_t elements, int64_t chosen, const RandomStream& stream) {
  GALORE_ASSERT(mask.numel() == mask_words(elements) && 0 <= chosen && chosen <= elements);
  kMarkSmallest(mask, mask, elements, chosen, stream);
}

void gather_marked(at::Tensor& packed, const at::Tensor& x, const at::Tensor& mask) {
  check_mask(packed, x, mask);
  kGatherMarked(x, packed, x, mask);
}

void scatter_marked(at::Tensor& x, const at::Tensor& packed, const at::Tensor& mask) {
  check_mask(packed, x, mask);
  kScatterMarked(x, x, packed, mask);
}

namespace composed {

at::Tensor booleans(const at::Tensor& mask, int64_t elements) {
  const at::Tensor shifts = at::arange(32, at::kInt);
  const at::Tensor bits = mask.cpu().unsqueeze(1).bitwise_right_shift(shifts).bitwise_and(1);
  return bits.reshape({-1}).narrow(0, 0, elements).to(at::kBool);
}

void gather_marked(at::Tensor& packed, const at::Tensor& x, const at::Tensor& mask) {
  packed.copy_(x.reshape({-1}).masked_select(booleans(mask, x.numel()).to(x.device())));
}

void scatter_marked(at::Tensor& x, const at::Tensor& packed, const at::Tensor& mask) {
  const at::Tensor marked = booleans(mask, x.numel()).to(x.device()).view(x.sizes());
  x.zero_().masked_scatter_(marked, packed);
}

}  // namespace composed
}  // namespace galore::kernels
