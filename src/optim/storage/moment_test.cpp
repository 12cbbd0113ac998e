#include "optim/storage/moment.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "optim/test_optimizer.h"

namespace galore {
namespace {

using testing_optimizer::random;

class Names : public StateVisitor {
 public:
  void tensor(const std::string& name, at::Tensor&) override { all.push_back(name); }
  void scalar(const std::string& name, int64_t&) override { all.push_back(name); }
  void scalar(const std::string& name, double&) override { all.push_back(name); }
  std::vector<std::string> all;
};

std::vector<std::string> names_of(Moment& moment) {
  Names names;
  moment.visit("m", names);
  return names.all;
}

StorageOptions blockwise(int64_t block_size = 256, int64_t min_8bit_size = 0) {
  return {"blockwise_8bit", block_size, min_8bit_size};
}

TEST(Moment, Float32IsItsOwnTensor) {
  Ledger ledger(at::kCPU);
  const auto moment = make_moment({}, {5, 7}, /*is_signed=*/true, ledger);
  at::Tensor value = moment->read();
  EXPECT_TRUE(at::equal(value, at::zeros({5, 7})));
  value.fill_(3);
  EXPECT_TRUE(at::equal(moment->read(), at::full({5, 7}, 3.0f)));
  moment->write(random({5, 7}, 1));
  EXPECT_TRUE(at::equal(moment->read(), random({5, 7}, 1)));
  EXPECT_EQ(moment->codes(), nullptr);
  EXPECT_EQ(names_of(*moment), std::vector<std::string>{"m"});
}

// The coarsest interval of the codes is the last one below 1. It is 0.9/64 wide in the signed code book, and
// a value is at most half of it away from a code. The tolerance is this bound times the block's largest
// value.
TEST(Moment, EightBitKeepsEveryElementWithinHalfACode) {
  for (const int64_t block : {16, 256, 2048}) {
    Ledger ledger(at::kCPU);
    const at::Tensor value = random({1000}, 2) * random({1000}, 3).exp();
    const auto moment = make_moment(blockwise(block), {1000}, /*is_signed=*/true, ledger);
    EXPECT_TRUE(at::equal(moment->read(), at::zeros({1000})));
    moment->write(value);
    for (int64_t first = 0; first < 1000; first += block) {
      const int64_t count = std::min<int64_t>(block, 1000 - first);
      const at::Tensor part = value.narrow(0, first, count);
      const double error = (moment->read().narrow(0, first, count) - part).abs().max().item<double>();
      EXPECT_LE(error, 0.9 / 64 / 2 * 1.0001 * part.abs().max().item<double>()) << block << " " << first;
    }
    EXPECT_EQ(names_of(*moment), (std::vector<std::string>{"m.codes", "m.scales"}));
  }
}

TEST(Moment, SquaresAreNeverNegative) {
  Ledger ledger(at::kCPU);
  const auto moment = make_moment(blockwise(), {300}, /*is_signed=*/false, ledger);
  moment->write(random({300}, 4).square() * 1e-12);
  EXPECT_GE(moment->read().min().item<float>(), 0);
  EXPECT_GT(moment->read().max().item<float>(), 0);
}

TEST(Moment, BytesAreThoseOfTheFormula) {
  for (const int64_t count : {1, 255, 256, 257, 4095, 4096, 5000}) {
    for (const StorageOptions& options :
         {StorageOptions{}, blockwise(), blockwise(256, 4096), blockwise(2048)}) {
      Ledger ledger(at::kCPU);
      make_moment(options, {count}, true, ledger);
      EXPECT_EQ(ledger.bytes(Owner::moments), moment_bytes(options, count)) << count;
      EXPECT_EQ(ledger.total(), ledger.bytes(Owner::moments));
    }
  }
  EXPECT_EQ(moment_bytes(blockwise(256, 4096), 4095), 4 * 4095);
  EXPECT_EQ(moment_bytes(blockwise(256, 4096), 4096), 4096 + 4 * 16);
  EXPECT_EQ(moment_bytes(blockwise(256, 4096), 4097), 4097 + 4 * 17);
}

}  // namespace
}  // namespace galore
