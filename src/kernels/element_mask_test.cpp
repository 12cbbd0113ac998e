#include "kernels/element_mask.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;

at::Tensor mask_of(int64_t elements, int64_t chosen, const RandomStream& stream) {
  const at::Tensor mask = at::empty({mask_words(elements)}, at::kInt);
  mark_smallest(mask, elements, chosen, stream);
  return mask;
}

// Compares with sorting all numbers. The counts leave remainders of words, pieces and blocks of the stream.
TEST(ElementMask, MarksTheSmallestNumbers) {
  const RandomStream stream(3, "test", "w", 5);
  for (const int64_t elements : {1L, 31L, 33L, 1000L, 65536L, 200003L}) {
    std::vector<std::pair<uint32_t, int64_t>> numbers;
    for (int64_t i = 0; i < elements; ++i)
      numbers.emplace_back(stream.block(static_cast<uint64_t>(i / 4))[static_cast<size_t>(i % 4)], i);
    std::sort(numbers.begin(), numbers.end());
    std::vector<int64_t> sizes{0, elements / 3, elements};
    // Some of many numbers are equal; the chosen count takes only one of the first such pair.
    for (size_t i = 0; i + 1 < numbers.size() && sizes.size() < 4; ++i)
      if (numbers[i].first == numbers[i + 1].first) sizes.push_back(static_cast<int64_t>(i) + 1);
    EXPECT_EQ(sizes.size(), elements == 200003 ? 4u : 3u);
    for (const int64_t chosen : sizes) {
      at::Tensor expected = at::zeros({elements}, at::kBool);
      for (int64_t k = 0; k < chosen; ++k) expected[numbers[static_cast<size_t>(k)].second] = true;
      const at::Tensor mask = mask_of(elements, chosen, stream);
      EXPECT_TRUE(at::equal(composed::booleans(mask, elements), expected)) << elements << " " << chosen;
    }
  }
}

TEST(ElementMask, PacksAndUnpacks) {
  for (const int64_t elements : {1L, 65L, 65536L, 200003L}) {
    const int64_t chosen = (elements + 1) / 2;
    const at::Tensor mask = mask_of(elements, chosen, RandomStream(4, "test")),
                     x = random({elements}, at::kFloat, 1);
    at::Tensor packed = at::empty({chosen}), expected = at::empty({chosen});
    gather_marked(packed, x, mask);
    composed::gather_marked(expected, x, mask);
    EXPECT_TRUE(at::equal(packed, expected));
    at::Tensor back = at::full({elements}, 7.0f), composed_back = at::full({elements}, 7.0f);
    scatter_marked(back, packed, mask);
    composed::scatter_marked(composed_back, packed, mask);
    EXPECT_TRUE(at::equal(back, composed_back));
    EXPECT_TRUE(at::equal(back, x * composed::booleans(mask, elements)));
  }
}

}  // namespace
}  // namespace galore::kernels
