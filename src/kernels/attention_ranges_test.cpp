#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/errors.h"
#include "kernels/attention.h"
#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

constexpr int64_t kRows = 2;

// Both tensors are B x T int32.
struct Ranges {
  at::Tensor first, end;
};

at::Tensor positions(int64_t length) { return at::arange(length, at::kInt).expand({kRows, length}); }

// Returns key ranges of bidirectional documents with about T / 8 positions: the begin and the end of each
// position's document.
Ranges documents(int64_t length) {
  std::vector<int32_t> first(length), end(length);
  for (int64_t number = 0; number < 8; ++number) {
    const int64_t from = number * length / 8, to = (number + 1) * length / 8;
    std::fill(first.begin() + from, first.begin() + to, static_cast<int32_t>(from));
    std::fill(end.begin() + from, end.begin() + to, static_cast<int32_t>(to));
  }
  const auto tensor = [&](std::vector<int32_t>& values) {
    return at::from_blob(values.data(), {length}, at::kInt).clone().expand({kRows, length});
  };
  return {tensor(first), tensor(end)};
}

Ranges random_ranges(int64_t length) {
  const auto draw = [&](uint64_t seed) {
    const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    return at::randint(length + 1, {kRows, length}, generator, at::TensorOptions(at::kInt));
  };
  const at::Tensor a = draw(11), b = draw(12);
  return {at::minimum(a, b), at::maximum(a, b)};
}

// The last third of each row is padding: it sees nothing, and no position sees it.
Ranges padded_rows(int64_t length) {
  const int64_t used = length - length / 3;
  const at::Tensor is_padding = positions(length).ge(used);
  return {at::zeros({kRows, length}, at::kInt),
          at::full({kRows, length}, used, at::kInt).masked_fill(is_padding, 0)};
}

Ranges make_ranges(const std::string& kind, int64_t length) {
  const at::Tensor t = positions(length), zero = at::zeros_like(t);
  if (kind == "causal") return {zero, t + 1};
  if (kind == "bidirectional") return {zero, at::full_like(t, length)};
  if (kind == "future") return {t + 1, at::full_like(t, length)};  // the last position sees nothing
  if (kind == "padded") return padded_rows(length);
  if (kind == "random") return random_ranges(length);
  if (kind == "nothing") return {t, t};
  const Ranges ranges = documents(length);
  // The other kind is "bidirectional documents".
  return kind == "documents" ? Ranges{ranges.first, t + 1} : ranges;
}

struct RangeShape {
  int64_t length, heads, key_heads, dim, window = 0;
  double dropout = 0;
};

AttentionTensors make_tensors(const RangeShape& s, const Ranges& ranges, at::ScalarType dtype) {
  const std::array<int64_t, 4> queries{kRows, s.length, s.heads, s.dim};
  const std::array<int64_t, 4> keys{kRows, s.length, s.key_heads, s.dim};
  AttentionTensors tensors{random(queries, dtype, 1) * 2,
                           random(keys, dtype, 2),
                           random(keys, dtype, 3),
                           at::empty(queries, dtype),
                           at::empty({kRows, s.heads, s.length}, dtype == at::kDouble ? dtype : at::kFloat),
                           s.window};
  if (s.dropout > 0) tensors.dropout = DropoutMask{RandomStream(5, "test"), s.dropout};
  tensors.first_row = 3;
  if (ranges.first.defined()) {
    tensors.first_key = ranges.first.contiguous();
    tensors.end_key = ranges.end.contiguous();
  }
  return tensors;
}

AttentionGradients make_gradients(const AttentionTensors& t) {
  const auto like = [](const at::Tensor& x) { return at::full(x.sizes(), NAN, x.options()); };
  return {like(t.query), like(t.key), like(t.value)};
}

AttentionTensors widened(AttentionTensors t) {
  for (at::Tensor* x : {&t.query, &t.key, &t.value, &t.out, &t.logsumexp}) *x = x->to(at::kDouble);
  return t;
}

using Case = std::tuple<const char*, RangeShape, at::ScalarType>;

class AttentionRanges : public testing::TestWithParam<Case> {
 protected:
  RangeShape shape_ = std::get<1>(GetParam());
  at::ScalarType dtype_ = std::get<2>(GetParam());
  AttentionTensors tensors_ =
      make_tensors(shape_, make_ranges(std::get<0>(GetParam()), shape_.length), dtype_);
  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
};

TEST_P(AttentionRanges, ForwardIsTheComposedOne) {
  const AttentionTensors expected = widened(tensors_);
  attention(tensors_, workspace_);
  reference::attention(expected);
  EXPECT_LE(relative_difference(tensors_.out, expected.out), tolerance(dtype_));
  EXPECT_LE(relative_difference(tensors_.logsumexp, expected.logsumexp), tolerance(at::kFloat));
}

TEST_P(AttentionRanges, BackwardIsTheComposedOne) {
  attention(tensors_, workspace_);
  const at::Tensor out_gradient = random(tensors_.out.sizes(), dtype_, 4);
  const AttentionTensors wide = widened(tensors_);
  const AttentionGradients given = make_gradients(tensors_), expected = make_gradients(wide);
  attention_backward(given, out_gradient, tensors_, workspace_);
  reference::attention_backward(expected, out_gradient.to(at::kDouble), wide);
  // Where positions see only one key, the gradients of query and key are zero up to rounding.
  const double scale = expected.value.norm().item<double>() + 1e-30;
  const auto difference = [&](const at::Tensor& a, const at::Tensor& b) {
    return (a.to(at::kDouble) - b).norm().item<double>() / scale;
  };
  EXPECT_LE(difference(given.query, expected.query), tolerance(dtype_));
  EXPECT_LE(difference(given.key, expected.key), tolerance(dtype_));
  EXPECT_LE(difference(given.value, expected.value), tolerance(dtype_));
}

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  std::string name = std::get<0>(info.param);
  std::replace(name.begin(), name.end(), ' ', '_');
  return name + "_" + std::to_string(info.index);
}

constexpr const char* kKinds[] = {"causal",        "documents", "bidirectional documents",
                                  "bidirectional", "padded",    "future",
                                  "random",        "nothing"};
INSTANTIATE_TEST_SUITE_P(
    Kinds, AttentionRanges,
    testing::Combine(testing::ValuesIn(kKinds),
                     testing::Values(RangeShape{1, 2, 2, 8}, RangeShape{65, 4, 2, 64},
                                     RangeShape{200, 2, 1, 12, 20}, RangeShape{700, 2, 2, 8},
                                     RangeShape{512, 2, 1, 16, 0, 0.2}, RangeShape{130, 4, 2, 16, 70, 0.3}),
                     testing::Values(at::kFloat, at::kBFloat16)),
    name_of_case);

// Computes attention by its definition: one query at a time over the keys of its range, without a mask.
at::Tensor by_definition(const AttentionTensors& t) {
  const at::Tensor out = at::zeros_like(t.out);
  const int64_t group = t.query.size(2) / t.key.size(2);
  for (int64_t row = 0; row < t.query.size(0); ++row)
    for (int64_t position = 0; position < t.query.size(1); ++position) {
      const int64_t window_first = t.window > 0 ? position + 1 - t.window : 0;
      const int64_t first = std::max<int64_t>(t.first_key[row][position].item<int32_t>(), window_first);
      const int64_t count = t.end_key[row][position].item<int32_t>() - first;
      if (count <= 0) continue;
      for (int64_t head = 0; head < t.query.size(2); ++head) {
        const at::Tensor keys = t.key[row].narrow(0, first, count).select(1, head / group);
        const at::Tensor values = t.value[row].narrow(0, first, count).select(1, head / group);
        const at::Tensor scores =
            keys.matmul(t.query[row][position][head]) / std::sqrt(double(t.query.size(3)));
        out[row][position][head] = scores.softmax(0).matmul(values);
      }
    }
  return out;
}

class ComposedRanges : public testing::TestWithParam<std::tuple<const char*, int64_t>> {
 protected:
  const char* kind_ = std::get<0>(GetParam());
  int64_t window_ = std::get<1>(GetParam());
};

TEST_P(ComposedRanges, AreTheDefinition) {
  const AttentionTensors t = make_tensors({17, 4, 2, 8, window_}, make_ranges(kind_, 17), at::kDouble);
  reference::attention(t);
  EXPECT_LE(relative_difference(t.out, by_definition(t)), 1e-13);
}

// Compares the derivative along one random direction of all inputs. The error of central differences is
// step^2, about 1e-10 here, plus the rounding of fp64 divided by the step, 1e-11.
TEST_P(ComposedRanges, GradientsAreTheDifferenceQuotient) {
  constexpr double kStep = 1e-5;
  const AttentionTensors t = make_tensors({17, 4, 2, 8, window_, 0.2}, make_ranges(kind_, 17), at::kDouble);
  const at::Tensor out_gradient = random(t.out.sizes(), at::kDouble, 4);
  const at::Tensor along_query = random(t.query.sizes(), at::kDouble, 5);
  const at::Tensor along_key = random(t.key.sizes(), at::kDouble, 6);
  const at::Tensor along_value = random(t.value.sizes(), at::kDouble, 7);
  const auto loss_at = [&](double step) {
    AttentionTensors moved = t;
    moved.query = t.query + step * along_query;
    moved.key = t.key + step * along_key;
    moved.value = t.value + step * along_value;
    reference::attention(moved);
    return (t.out * out_gradient).sum().item<double>();
  };
  const double expected = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
  reference::attention(t);
  const AttentionGradients gradients = make_gradients(t);
  reference::attention_backward(gradients, out_gradient, t);
  const double given = ((gradients.query * along_query).sum() + (gradients.key * along_key).sum() +
                        (gradients.value * along_value).sum())
                           .item<double>();
  EXPECT_NEAR(given, expected, 1e-7 * (1 + std::abs(expected)));
}

INSTANTIATE_TEST_SUITE_P(Kinds, ComposedRanges,
                         testing::Combine(testing::ValuesIn(kKinds), testing::Values(0, 5)));

struct Results {
  AttentionTensors tensors;
  AttentionGradients gradients;
};

Results run_both_ways(const AttentionTensors& tensors, const at::Tensor& out_gradient) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const Results results{tensors, make_gradients(tensors)};
  attention(tensors, workspace);
  attention_backward(results.gradients, out_gradient, tensors, workspace);
  return results;
}

void expect_equal(const Results& a, const Results& b) {
  EXPECT_TRUE(a.tensors.out.equal(b.tensors.out));
  EXPECT_TRUE(a.tensors.logsumexp.equal(b.tensors.logsumexp));
  EXPECT_TRUE(a.gradients.query.equal(b.gradients.query));
  EXPECT_TRUE(a.gradients.key.equal(b.gradients.key));
  EXPECT_TRUE(a.gradients.value.equal(b.gradients.value));
}

TEST(AttentionRangesGiven, CausalOnesAreTheDefaultToTheBit) {
  for (const int64_t window : {0, 70})
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      const RangeShape shape{200, 4, 2, 16, window, 0.1};
      const at::Tensor out_gradient = random({kRows, 200, 4, 16}, dtype, 4);
      expect_equal(run_both_ways(make_tensors(shape, {}, dtype), out_gradient),
                   run_both_ways(make_tensors(shape, make_ranges("causal", 200), dtype), out_gradient));
    }
}

// Joins the R rows of x (R x T x ...) into one row of R T positions.
at::Tensor packed(const at::Tensor& x) { return x.flatten(0, 1).unsqueeze(0); }

// Documents are summed in the blocks of a row of their own, wherever they begin.
TEST(AttentionRangesGiven, PackedDocumentsAreTheirOwnRowsToTheBit) {
  constexpr int64_t kDocuments = 8;
  for (const int64_t length : {128, 150}) {
    const std::array<int64_t, 4> shape{kDocuments, length, 2, 16};
    const AttentionTensors rows{random(shape, at::kFloat, 1), random(shape, at::kFloat, 2),
                                random(shape, at::kFloat, 3), at::empty(shape),
                                at::empty({kDocuments, 2, length})};
    const at::Tensor out_gradient = random(shape, at::kFloat, 4);
    AttentionTensors row{packed(rows.query), packed(rows.key), packed(rows.value), packed(at::empty(shape)),
                         at::empty({1, 2, kDocuments * length})};
    row.first_key = (at::arange(kDocuments, at::kInt) * length).repeat_interleave(length).unsqueeze(0);
    row.end_key = at::arange(1, kDocuments * length + 1, at::kInt).unsqueeze(0);
    const Results apart = run_both_ways(rows, out_gradient);
    const Results together = run_both_ways(row, packed(out_gradient));
    EXPECT_TRUE(together.tensors.out.equal(packed(apart.tensors.out)));
    EXPECT_TRUE(together.gradients.query.equal(packed(apart.gradients.query)));
    EXPECT_TRUE(together.gradients.key.equal(packed(apart.gradients.key)));
    EXPECT_TRUE(together.gradients.value.equal(packed(apart.gradients.value)));
  }
}

TEST(AttentionRangesGiven, PositionsWithoutKeysGiveZeros) {
  const RangeShape shape{100, 2, 2, 16};
  const Results results = run_both_ways(make_tensors(shape, make_ranges("nothing", 100), at::kFloat),
                                        random({kRows, 100, 2, 16}, at::kFloat, 4));
  EXPECT_TRUE(results.tensors.logsumexp.eq(kNoKeysLogsumexp).all().item<bool>());
  for (const at::Tensor& x :
       {results.tensors.out, results.gradients.query, results.gradients.key, results.gradients.value})
    EXPECT_TRUE(x.eq(0).all().item<bool>());
}

// fp16 has no kernel on the CPU, so it is treated as on a device without a kernel.
TEST(AttentionRangesGiven, GoRowByRowWhereThereIsNoKernel) {
  const AttentionTensors given = make_tensors({30, 2, 1, 8}, make_ranges("random", 30), at::kHalf);
  const at::Tensor out_gradient = random(given.out.sizes(), at::kHalf, 4);
  const Results results = run_both_ways(given, out_gradient);
  const AttentionTensors wide = widened(given);
  const AttentionGradients expected = make_gradients(wide);
  reference::attention(wide);
  reference::attention_backward(expected, out_gradient.to(at::kDouble), wide);
  // The results differ by a few roundings of fp16, 2^-11 each.
  EXPECT_LT(relative_difference(results.tensors.out, wide.out), 1e-3);
  EXPECT_LT(relative_difference(results.gradients.query, expected.query), 2e-3);
  EXPECT_LT(relative_difference(results.gradients.key, expected.key), 2e-3);
  EXPECT_LT(relative_difference(results.gradients.value, expected.value), 2e-3);
}

TEST(AttentionRangesGiven, OutsideTheRowAreAnError) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const auto message_of = [&](int32_t first, int32_t end) {
    const AttentionTensors t = make_tensors({9, 1, 1, 8}, make_ranges("causal", 9), at::kFloat);
    t.first_key[1][4] = first;
    t.end_key[1][4] = end;
    try {
      attention(t, workspace);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message_of(2, 9), "");
  EXPECT_EQ(
      message_of(3, 10),
      "[attention] expected key ranges with 0 <= first_key <= end_key <= 9, given [3, 10) at position 4 of "
      "row 1");
  EXPECT_NE(message_of(-1, 3), "");
  EXPECT_NE(message_of(5, 4), "");
}

}  // namespace
}  // namespace galore
