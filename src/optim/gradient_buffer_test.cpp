#include "optim/gradient_buffer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "optim/test_optimizer.h"

namespace galore {
namespace {

using testing_optimizer::random;
using testing_optimizer::relative_difference;
using testing_optimizer::same_bits;

constexpr int64_t kInputs = 40, kRows = 12, kColumns = 8, kRank = 3;

class Buffer : public testing::Test {
 protected:
  Buffer() {
    parameter_.name = "w";
    parameter_.value = at::zeros({kRows, kColumns});
  }
  // Returns a subspace with a basis of the given side.
  std::unique_ptr<Subspace> subspace(const std::string& proj_type) {
    SubspaceOptions options;
    options.proj_type = proj_type;
    options.rank = kRank;
    auto made = std::make_unique<Subspace>(options, kRows, kColumns, workspace_);
    made->refresh(random({kRows, kColumns}, 9), RandomStream(1, "refresh"));
    return made;
  }
  GradientBuffer buffer() {
    return GradientBuffer(parameter_, workspace_, [this] { ++completed_; });
  }

  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
  Parameter parameter_;
  int completed_ = 0;
  at::Tensor output_ = random({kInputs, kRows}, 1), input_ = random({kInputs, kColumns}, 2);
};

TEST_F(Buffer, AddsProductsRowsAndTensors) {
  GradientBuffer sink = buffer();
  sink.begin({});
  sink.add_product(output_, input_);
  const at::Tensor product = output_.t().mm(input_);
  EXPECT_TRUE(same_bits(sink.gradient(), product));
  sink.add(product);
  EXPECT_TRUE(same_bits(sink.gradient(), product + product));
  const at::Tensor indices = at::tensor({3, 0, 3}, at::kLong), rows = random({3, kColumns}, 3);
  sink.add_rows(indices, rows);
  at::Tensor expected = product + product;
  expected.index_add_(0, indices, rows);
  EXPECT_TRUE(same_bits(sink.gradient(), expected));
}

TEST_F(Buffer, FirstReportReplacesTheGradientOfTheUpdateBefore) {
  GradientBuffer sink = buffer();
  const at::Tensor indices = at::tensor({3, 0, 3}, at::kLong), rows = random({3, kColumns}, 3);
  for (int update = 0; update < 2; ++update) {
    sink.begin({});
    sink.add_rows(indices, rows);
    EXPECT_TRUE(same_bits(sink.gradient(), at::zeros({kRows, kColumns}).index_add(0, indices, rows)));
    sink.begin({});
    sink.add(output_.t().mm(input_));
    EXPECT_TRUE(same_bits(sink.gradient(), output_.t().mm(input_)));
  }
}

TEST_F(Buffer, IsZeroWhenNothingWasReported) {
  GradientBuffer sink = buffer();
  sink.begin({});
  sink.add_product(output_, input_);
  sink.use_done();
  sink.begin({});
  sink.use_done();
  EXPECT_TRUE(sink.missing());
  EXPECT_TRUE(at::equal(sink.gradient(), at::zeros({kRows, kColumns})));
  EXPECT_EQ(completed_, 2);
  sink.begin({});
  sink.add_product(output_, input_);
  sink.use_done();
  EXPECT_FALSE(sink.missing());
}

TEST_F(Buffer, IsCompleteAfterEveryUseOfEveryMicroBatch) {
  parameter_.uses = 2;
  GradientBuffer sink = buffer();
  sink.begin({.share = {.micro_batches = 3}});
  for (int i = 0; i < 6; ++i) {
    EXPECT_FALSE(sink.complete());
    EXPECT_EQ(completed_, 0);
    sink.add_product(output_, input_);
    sink.use_done();
  }
  EXPECT_TRUE(sink.complete());
  EXPECT_EQ(completed_, 1);
  EXPECT_THROW(sink.use_done(), std::logic_error);
  EXPECT_THROW(sink.add_product(output_, input_), std::logic_error);
  // Sums of six equal fp32 matrices have a few roundings.
  EXPECT_LE(relative_difference(sink.gradient(), 6 * output_.t().mm(input_)), 1e-6);
}

// Gradients that are projected while they are formed equal the projection of the whole gradient. The
// tolerance is fp32 rounding of sums of 40 terms in another order.
TEST_F(Buffer, ProjectsEveryReport) {
  const at::Tensor indices = at::tensor({3, 0, 3, 11}, at::kLong), rows = random({4, kColumns}, 3);
  const at::Tensor tensor = random({kRows, kColumns}, 4);
  for (const std::string type : {"right", "left", "full"}) {
    const auto space = subspace(type);
    GradientBuffer sink = buffer();
    for (int first = 0; first < 3; ++first) {  // each kind of report comes first once
      sink.begin({.subspace = space.get()});
      at::Tensor whole = at::zeros({kRows, kColumns});
      for (int i = first; i < first + 3; ++i) {
        if (i % 3 == 0) sink.add_product(output_, input_), whole += output_.t().mm(input_);
        if (i % 3 == 1) sink.add_rows(indices, rows), whole.index_add_(0, indices, rows);
        if (i % 3 == 2) sink.add(tensor), whole += tensor;
      }
      EXPECT_TRUE(sink.projected());
      EXPECT_EQ(sink.gradient().sizes(), at::IntArrayRef(space->low_rank_shape()));
      EXPECT_LE(relative_difference(sink.gradient(), space->project(whole)), 2e-6) << type << first;
    }
  }
}

// With fewer tokens than directions, the other directions come from the old basis, and the basis stays
// orthonormal.
TEST_F(Buffer, TakesABasisFromFewTokens) {
  for (const std::string type : {"right", "left"}) {
    const auto space = subspace(type);
    const at::Tensor old = (type == "right" ? space->right() : space->left()).clone();
    const at::Tensor output = random({2, kRows}, 5), input = random({2, kColumns}, 6);
    std::string notice;
    GradientBuffer sink = buffer();
    sink.begin({.subspace = space.get(), .refresh = [&](const GradientOperator& gradient) {
                  notice = space->refresh(gradient, RandomStream(2, "refresh"));
                }});
    sink.add_product(output, input);
    EXPECT_NE(notice.find("rank 2 of 3"), std::string::npos) << notice;
    const at::Tensor basis = type == "right" ? space->right() : space->left();
    EXPECT_LE(relative_difference(basis.t().mm(basis), at::eye(kRank)), 1e-5);  // fp32 rounding
    const at::Tensor rows = type == "right" ? input : output;
    EXPECT_LE(relative_difference(rows.mm(basis).mm(basis.t()), rows), 1e-5);
    const at::Tensor rest = basis.narrow(1, 2, 1);  // inside the span of the old basis and the gradient
    const at::Tensor span = std::get<0>(at::linalg_qr(at::cat({old, rows.t()}, 1)));
    EXPECT_LE(relative_difference(span.mm(span.t().mm(rest)), rest), 1e-4);
  }
}

TEST_F(Buffer, NeverFormsAFullGradientWhenProjecting) {
  const auto space = subspace("right");
  GradientBuffer sink = buffer();
  sink.begin({.subspace = space.get()});
  sink.add_product(output_, input_);
  EXPECT_EQ(ledger_.bytes(Owner::gradients), 4 * kRows * kRank);
}

// Each bf16 product is rounded to 2^-9 and summed in fp32, so two equal halves differ from the whole by no
// more than that, while a bf16 sum of 100 products would stall.
TEST_F(Buffer, SumsNarrowProductsInFloat32) {
  const at::Tensor output = output_.to(at::kBFloat16), input = input_.to(at::kBFloat16);
  const at::Tensor exact = output.to(at::kFloat).t().mm(input.to(at::kFloat));
  GradientBuffer sink = buffer();
  sink.begin({.share = {.micro_batches = 100}});
  for (int i = 0; i < 100; ++i) sink.add_product(output, input);
  EXPECT_EQ(sink.gradient().scalar_type(), at::kFloat);
  EXPECT_LE(relative_difference(sink.gradient(), 100 * exact), 4e-3);
  const auto space = subspace("full");
  sink.begin({.subspace = space.get()});
  sink.add_product(output, input);
  // The basis, the reduced operands and the product are each rounded to bf16.
  EXPECT_LE(relative_difference(sink.gradient(), space->project(exact)), 2e-2);
}

TEST_F(Buffer, SharesOneBufferOfTheLargestSize) {
  Parameter large;
  large.name = "large";
  large.value = at::zeros({3 * kRows, kColumns});
  const at::Tensor large_output = random({kInputs, 3 * kRows}, 5);
  at::Tensor seen;
  GradientBuffer small_sink(parameter_, workspace_, [&] { seen = small_sink.gradient().clone(); });
  GradientBuffer large_sink(large, workspace_, [&] { seen = large_sink.gradient().clone(); });
  for (int update = 0; update < 2; ++update) {
    small_sink.begin({.shared = true});
    large_sink.begin({.shared = true});
    small_sink.add_product(output_, input_);
    small_sink.use_done();
    EXPECT_TRUE(same_bits(seen, output_.t().mm(input_)));
    EXPECT_FALSE(small_sink.gradient().defined());  // it would keep the smaller buffer alive
    large_sink.add_product(large_output, input_);
    large_sink.use_done();
    EXPECT_TRUE(same_bits(seen, large_output.t().mm(input_)));
    EXPECT_EQ(ledger_.bytes(Owner::gradients), 4 * 3 * kRows * kColumns);
  }
}

}  // namespace
}  // namespace galore
