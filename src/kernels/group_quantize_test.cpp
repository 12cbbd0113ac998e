#include "kernels/group_quantize.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/formulas/group_quantize.h"
#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

GroupQuantized empty_codes(at::IntArrayRef shape, int64_t bits, int64_t group_size) {
  Ledger ledger(at::kCPU);
  const GroupQuantized codes = zero_group_codes({bits, group_size}, shape, Owner::weights, ledger);
  EXPECT_EQ(ledger.total(), group_code_bytes(codes.format, codes.numel()));
  return codes;
}

GroupQuantized encoded(const at::Tensor& values, int64_t bits, int64_t group_size,
                       const RandomStream* stream = nullptr) {
  const GroupQuantized codes = empty_codes(values.sizes(), bits, group_size);
  encode_groups(values, codes, stream);
  return codes;
}

at::Tensor decoded(const GroupQuantized& codes, at::ScalarType dtype = at::kFloat) {
  const at::Tensor values = at::full(codes.shape, NAN, at::TensorOptions(dtype));
  decode_groups(codes, values);
  return values;
}

bool same(const GroupQuantized& a, const GroupQuantized& b) {
  return a.codes.equal(b.codes) && a.scales.view(at::kInt).equal(b.scales.view(at::kInt)) &&
         a.zeros.equal(b.zeros);
}

// Returns the step of group 0.
double step_of(const GroupQuantized& codes) { return codes.scales[0].item<double>(); }

TEST(GroupQuantized, FollowTheFormulasInBothBits) {
  // Computed by hand: -1 to 2 in 15 steps of 0.2; the zero point is code 5; ties (0.1, 0.3) go to the even
  // side of the step.
  const GroupQuantized four = encoded(at::tensor({-1.0f, 2.0f, 0.0f, 0.22f, -0.5f}), 4, 256);
  EXPECT_FLOAT_EQ(four.scales[0].item<float>(), 0.2f);
  EXPECT_EQ(four.zeros[0].item<int>(), 5);
  // -2.5 steps round to -2
  EXPECT_TRUE(four.codes.equal(at::tensor({0 + 16 * 15, 5 + 16 * 6, 3}, at::kByte)));
  // Each group has its own scale and zero point.
  const GroupQuantized eight = encoded(at::tensor({0.0f, 255.0f, -2.0f, 508.0f}), 8, 2);
  EXPECT_TRUE(eight.scales.equal(at::tensor({1.0f, 2.0f})));
  EXPECT_TRUE(eight.zeros.equal(at::tensor({0, 1}, at::kByte)));
  EXPECT_TRUE(eight.codes.equal(at::tensor({0, 255, 0, 255}, at::kByte)));
  // This is the smallest range.
  EXPECT_FLOAT_EQ(encoded(at::tensor({0.0f, 5e-6f}), 8, 2).scales[0].item<float>(), 1e-5f / 255);
}

// In any group no value differs by more than half a step, and the ends by no more than the rounding of the
// zero point.
TEST(GroupQuantized, DecodeToTheNearestStep) {
  for (const int64_t bits : {4, 8}) {
    for (const float shift : {0.0f, 5.0f, -5.0f}) {  // both signs, all positive, all negative
      const at::Tensor values = random({3, 100}, at::kFloat, 7) + shift;
      const GroupQuantized codes = encoded(values, bits, 64);
      const at::Tensor step = codes.scales.repeat_interleave(64).narrow(0, 0, 300).view({3, 100});
      const at::Tensor error = (decoded(codes) - values).abs() / step;
      EXPECT_LE(error.max().item<float>(), 1.0001f) << bits << " " << shift;
      EXPECT_LE((error > 0.5001).sum().item<int>(), 5) << bits << " " << shift;  // at most one end of a group
    }
  }
}

TEST(GroupQuantized, ConstantGroupsKeepTheirValue) {
  for (const float value : {0.0f, 0.5f, -0.5f, 3e-7f, 1e30f}) {
    const at::Tensor back = decoded(encoded(at::full({300}, value), 8, 256));
    const double allowed = std::max(1e-6 * std::abs(value), 1e-5 / 255);  // rounding, or the smallest step
    EXPECT_LE((back - value).abs().max().item<double>(), allowed) << value;
  }
  EXPECT_TRUE(decoded(encoded(at::zeros({300}), 4, 256)).equal(at::zeros({300})));
}

TEST(GroupQuantized, AGroupThatIsNotFiniteIsNoticedAndTheOthersStay) {
  for (const float bad : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN(), 3e38f}) {
    at::Tensor values = random({600}, at::kFloat, 3);
    values[300] = bad;
    values[301] = -3e38f;  // the range alone overflows for the last of them
    const GroupQuantized codes = encoded(values, 8, 256);
    EXPECT_FALSE(is_finite(codes));
    const at::Tensor back = decoded(codes);
    EXPECT_TRUE(back.narrow(0, 256, 256).isnan().all().item<bool>());
    EXPECT_EQ(back.isnan().sum().item<int>(), 256);
  }
  EXPECT_TRUE(is_finite(encoded(random({600}, at::kFloat, 3), 8, 256)));
}

// Codes that use the whole range are restored exactly, so untouched weights stay.
TEST(GroupQuantized, RecodingDecodedValuesChangesNothingMuch) {
  const at::Tensor values = random({64 * 256}, at::kFloat, 5);
  const GroupQuantized codes = encoded(values, 8, 256);
  const at::Tensor pairs = codes.codes.view({64, 256});
  const at::Tensor whole = (pairs.amin(1) == 0).logical_and(pairs.amax(1) == 255);
  ASSERT_GT(whole.sum().item<int>(), 20);  // in the other groups rounding has cut off a step at one end
  const GroupQuantized again = encoded(decoded(codes), 8, 256);
  EXPECT_TRUE(again.codes.view({64, 256}).index({whole}).equal(pairs.index({whole})));
  // With stochastic rounding a code changes only where fp32 rounding moved a value away from a whole number
  // of steps: a relative 2^-23 of 255 steps is 3e-5 of a step.
  const RandomStream stream(1, "test");
  const GroupQuantized drawn = encoded(decoded(codes), 8, 256, &stream);
  const at::Tensor moved = drawn.codes.view({64, 256}).index({whole}) != pairs.index({whole});
  EXPECT_LE(moved.sum().item<int>(), 5);
}

// A number between two codes is drawn 200000 times in groups with fixed ends.
TEST(GroupQuantized, StochasticRoundingIsRightOnTheAverage) {
  for (const float value : {0.3f, -0.37f, 0.77777f}) {
    at::Tensor values = at::full({100, 2000}, value);
    values.select(1, 0).fill_(-1);
    values.select(1, 1).fill_(1);
    const RandomStream stream(3, "test");
    const GroupQuantized codes = encoded(values, 8, 2000, &stream);
    const at::Tensor drawn = decoded(codes).narrow(1, 2, 1998).to(at::kDouble);
    const double step = step_of(codes);
    // The tolerance is five standard deviations of the mean, which is at most 0.5 / sqrt(199800) steps.
    EXPECT_NEAR(drawn.mean().item<double>() / step, value / step, 0.0056) << value;
    EXPECT_LE((drawn - value).abs().max().item<double>(), step * 1.0001);
    EXPECT_GT(drawn.std().item<double>(), 0.1 * step);
  }
}

// Compares every length of a last group and both kinds of rounding to the bit, including values that are not
// finite.
TEST(GroupQuantized, FusedEqualsComposed) {
  const RandomStream stream(7, "rounding", "w", 3);
  for (const int64_t count : {1L, 2L, 7L, 31L, 255L, 256L, 257L, 4999L}) {
    for (const int64_t group_size : {2L, 26L, 128L, 256L, 4096L}) {
      for (const int64_t bits : {4L, 8L}) {
        for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
          at::Tensor values =
              (random({count}, at::kFloat, 1) * random({count}, at::kFloat, 2).exp()).to(dtype);
          if (count > 4000) values[4000] = NAN;
          for (const RandomStream* drawn : {static_cast<const RandomStream*>(nullptr), &stream}) {
            const GroupQuantized fused = encoded(values, bits, group_size, drawn);
            const GroupQuantized expected = empty_codes({count}, bits, group_size);
            composed::encode_groups(values, expected, drawn);
            ASSERT_TRUE(same(fused, expected)) << count << " " << group_size << " " << bits;
            const at::Tensor back = at::empty({count}, at::TensorOptions(dtype));
            composed::decode_groups(fused, back);
            ASSERT_TRUE(decoded(fused, dtype).nan_to_num().equal(back.nan_to_num()));
          }
        }
      }
    }
  }
}

// The definition of the codes, one number at a time.
float expected_value(const formulas::GroupScale& group, float code) {
  return (code - group.zero) * group.scale;
}

float expected_nearest(const formulas::GroupScale& group, float value) {
  return std::clamp(std::nearbyint(value / group.scale) + group.zero, 0.0f, 255.0f);
}

float expected_drawn(const formulas::GroupScale& group, float value, uint32_t random16) {
  const float exact = value / group.scale, below = std::floor(exact);
  const float chance = (static_cast<float>(random16) + 0.5f) * 0x1p-16f;
  return std::clamp(below + (chance < exact - below ? 1.0f : 0.0f) + group.zero, 0.0f, 255.0f);
}

TEST(GroupQuantized, AreTheDefinition) {
  const RandomStream stream(7, "rounding", "w", 3);
  const at::Tensor values = random({1000}, at::kFloat, 1);
  const GroupQuantized nearest = encoded(values, 8, 250), drawn = encoded(values, 8, 250, &stream);
  for (int64_t i = 0; i < 1000; ++i) {
    const at::Tensor group = values.narrow(0, i / 250 * 250, 250);
    const auto scale = formulas::scale_of_group(group.min().item<float>(), group.max().item<float>(), 255);
    const float value = values[i].item<float>();
    const auto words = stream.block(static_cast<uint64_t>(i / formulas::kRoundingsPerBlock));
    const uint32_t bits = formulas::rounding_bits(words, i % formulas::kRoundingsPerBlock);
    ASSERT_EQ(nearest.codes[i].item<float>(), expected_nearest(scale, value));
    ASSERT_EQ(drawn.codes[i].item<float>(), expected_drawn(scale, value, bits));
    ASSERT_EQ(decoded(nearest)[i].item<float>(), expected_value(scale, nearest.codes[i].item<float>()));
  }
}

TEST(GroupQuantized, AnyBlockOfAMatrixIsDecodedAlone) {
  const at::Tensor values = random({37, 53}, at::kFloat, 1);
  const GroupQuantized codes = encoded(values, 8, 64);  // groups cross rows
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const at::Tensor all = decoded(codes).to(dtype);
    for (const Block& block :
         {Block{0, 37, 0, 53}, Block{5, 11, 0, 53}, Block{0, 37, 13, 1}, Block{36, 1, 3, 50}}) {
      const at::Tensor part = at::empty({block.rows, block.columns}, at::TensorOptions(dtype));
      decode_block(codes, block, part);
      EXPECT_TRUE(part.equal(
          all.narrow(0, block.first_row, block.rows).narrow(1, block.first_column, block.columns)));
    }
  }
}

TEST(GroupQuantized, PartsOfGroupsAreTheWholes) {
  const at::Tensor values = random({1000}, at::kFloat, 1);
  const GroupQuantized whole = encoded(values, 8, 64), parts = empty_codes({1000}, 8, 64);
  for (int64_t first = 0; first < 1000; first += 256) {
    const int64_t count = std::min<int64_t>(256, 1000 - first);
    encode_groups(values.narrow(0, first, count), part_of(parts, first, count), nullptr);
  }
  EXPECT_TRUE(same(whole, parts));
}

TEST(UpdateGroups, EqualsComposedAndKeepsTheOrderOfDecay) {
  const RandomStream stream(7, "rounding", "w", 3);
  for (const int64_t count : {1L, 257L, 5000L}) {
    for (const int64_t group_size : {26L, 256L}) {
      for (const RandomStream* drawn : {static_cast<const RandomStream*>(nullptr), &stream}) {
        const GroupQuantized fused = encoded(random({count}, at::kFloat, 1), 8, group_size);
        const GroupQuantized expected = encoded(random({count}, at::kFloat, 1), 8, group_size);
        at::Tensor direction = random({count}, at::kFloat, 2);
        if (count > 4000) direction[4000] = kInfinity;
        const WeightUpdate update{0.01, 0.99, 0.98, drawn};
        update_groups(update, direction, fused);
        composed::update_groups(update, direction, expected);
        ASSERT_TRUE(same(fused, expected)) << count << " " << group_size;
      }
    }
  }
  const GroupQuantized weight = encoded(at::tensor({2.0f, -2.0f}), 8, 256);
  update_groups({0.5, 0.5, 1.0, nullptr}, at::ones({2}), weight);
  EXPECT_TRUE(decoded(weight).allclose(at::tensor({0.5f, -1.5f}), 0, 2.0 / 255));  // 2 * 0.5 - 0.5
  const GroupQuantized other = encoded(at::tensor({2.0f, -2.0f}), 8, 256);
  update_groups({0.5, 1.0, 0.5, nullptr}, at::ones({2}), other);
  EXPECT_TRUE(decoded(other).allclose(at::tensor({0.75f, -1.25f}), 0, 2.0 / 255));  // (2 - 0.5) * 0.5
}

// Steps far below half a step of the codes are lost when rounded to nearest, and right on average when
// rounded at random.
TEST(UpdateGroups, SmallStepsAddUpOnlyStochastically) {
  for (const bool stochastic : {false, true}) {
    at::Tensor values = at::zeros({64, 256});
    values.select(1, 0).fill_(-1);
    values.select(1, 1).fill_(1);
    const GroupQuantized weight = encoded(values, 8, 256);
    at::Tensor direction = at::ones({64, 256});
    direction.narrow(1, 0, 2).zero_();  // the ends keep the scale
    for (uint64_t step = 0; step < 50; ++step) {
      const RandomStream stream(1, "rounding", "w", step);
      update_groups({1e-3, 1, 1, stochastic ? &stream : nullptr}, direction, weight);
    }
    const double mean = decoded(weight).narrow(1, 2, 254).mean().item<double>();
    // Each of 16256 values ends within a few steps of 2/255, and their mean within a hundredth of 0.05.
    EXPECT_NEAR(mean, stochastic ? -0.05 : 0.0, stochastic ? 1e-3 : 0.004) << stochastic;
  }
}

TEST(UpdateGroups, ThreadsChangeNothing) {
  const at::Tensor values = random({200001}, at::kFloat, 1), direction = random({200001}, at::kFloat, 2);
  const RandomStream stream(7, "rounding", "w", 3);
  const int before = at::get_num_threads();
  std::vector<GroupQuantized> results;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    results.push_back(encoded(values, 8, 100, &stream));
    update_groups({1e-2, 1, 1, &stream}, direction, results.back());
  }
  at::set_num_threads(before);
  EXPECT_TRUE(same(results[0], results[1]));
  EXPECT_TRUE(same(results[0], results[2]));
}

}  // namespace
}  // namespace galore::kernels
