#include "optim/storage/moment.h"

#include <ATen/ATen.h>

#include "core/errors.h"

namespace galore {
namespace {

class Float32Moment : public Moment {
 public:
  Float32Moment(at::IntArrayRef shape, Ledger& ledger)
      : value_(ledger.zeros(Owner::moments, shape, at::kFloat)) {}
  at::Tensor read() override { return value_; }
  void write(const at::Tensor& value) override {
    if (!value.is_same(value_)) value_.copy_(value);
  }
  void clear() override { value_.zero_(); }
  void visit(const std::string& name, StateVisitor& visitor) override {
    if (!visitor.average(name, *this)) visitor.tensor(name, value_);
  }

 private:
  at::Tensor value_;
};

class PlainAverage : public StoredAverage {
 public:
  explicit PlainAverage(at::Tensor value) : value_(std::move(value)) {}
  at::Tensor read() override { return value_; }
  void write(const at::Tensor& value) override { value_.copy_(value); }
  void clear() override { value_.zero_(); }

 private:
  at::Tensor value_;
};

class Blockwise8bitMoment : public Moment {
 public:
  Blockwise8bitMoment(at::IntArrayRef shape, int64_t block_size, bool is_signed, Ledger& ledger) {
    const int64_t num_blocks = (c10::multiply_integers(shape) + block_size - 1) / block_size;
    codes_ = {ledger.zeros(Owner::moments, shape, at::kByte),
              ledger.zeros(Owner::moments, {num_blocks}, at::kFloat), block_size, is_signed};
  }
  at::Tensor read() override {
    at::Tensor value = at::empty(codes_.codes.sizes(), codes_.codes.options().dtype(at::kFloat));
    kernels::decode_8bit(codes_, value);
    return value;
  }
  void write(const at::Tensor& value) override { kernels::encode_8bit(value, codes_); }
  void clear() override {
    codes_.codes.zero_();
    codes_.scales.zero_();
  }
  void visit(const std::string& name, StateVisitor& visitor) override {
    if (visitor.average(name, *this)) return;
    visitor.tensor(name + ".codes", codes_.codes);
    visitor.tensor(name + ".scales", codes_.scales);
  }
  kernels::Codes8* codes() override { return &codes_; }

 private:
  kernels::Codes8 codes_;
};

bool stays_float32(const StorageOptions& options, int64_t count) {
  return options.storage == "float32" || count < options.min_8bit_size;
}

}  // namespace

void declare_options(OptionTable& table, StorageOptions& options) {
  table.add("block_size", &options.block_size, "elements that share one scale in 8-bit moments")
      .range(16, 65536)
      .origin("bitsandbytes since 0.44; 2048 reproduces the papers of 2024");
  table.add("min_8bit_size", &options.min_8bit_size, "tensors with fewer elements keep fp32 moments")
      .range(0, 1e18)
      .origin("bitsandbytes");
}

void visit_average(const std::string& name, at::Tensor& average, StateVisitor& visitor) {
  PlainAverage plain(average);
  if (!visitor.average(name, plain)) visitor.tensor(name, average);
}

std::unique_ptr<Moment> make_moment(const StorageOptions& options, at::IntArrayRef shape, bool is_signed,
                                    Ledger& ledger) {
  if (stays_float32(options, c10::multiply_integers(shape)))
    return std::make_unique<Float32Moment>(shape, ledger);
  GALORE_ASSERT(options.storage == "blockwise_8bit");
  return std::make_unique<Blockwise8bitMoment>(shape, options.block_size, is_signed, ledger);
}

int64_t moment_bytes(const StorageOptions& options, int64_t count) {
  if (stays_float32(options, count)) return 4 * count;
  return count + 4 * ((count + options.block_size - 1) / options.block_size);
}

}  // namespace galore
