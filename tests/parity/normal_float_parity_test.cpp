// Compares NF4 codes with those of bitsandbytes, which make_nf4_vectors.py froze.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "checkpoint/safetensors.h"
#include "kernels/group_quantize.h"
#include "kernels/normal_float.h"

namespace galore::kernels {
namespace {

class NormalFloatParity : public testing::Test {
 protected:
  at::Tensor read(const char* name) const { return file_.read(name); }

  SafetensorsReader file_{Path(GALORE_PARITY_DATA) / ".." / "quantized" / "nf4.safetensors"};
  at::Tensor matrix_ = file_.read("matrix");
  Ledger ledger_{at::kCPU};
  GroupQuantized codes_ = zero_group_codes(kNormalFloat, matrix_.sizes(), Owner::weights, ledger_);
};

at::Tensor tensor_of(const auto& values) {
  return at::from_blob(const_cast<float*>(values.data()), {static_cast<int64_t>(values.size())}, at::kFloat);
}

TEST_F(NormalFloatParity, TablesAreEqual) {
  EXPECT_TRUE(tensor_of(normal_float_values()).equal(read("values")));
  EXPECT_TRUE(tensor_of(dynamic_map()).equal(read("map")));
}

TEST_F(NormalFloatParity, CodesAreEqual) {
  for (const at::ScalarType dtype : {at::kBFloat16, at::kFloat}) {
    encode_groups(matrix_.to(dtype), codes_, nullptr);
    EXPECT_TRUE(codes_.codes.equal(read("codes")));
    EXPECT_TRUE(codes_.zeros.equal(read("scale_codes")));
    // The offset is a mean of 262 numbers, which PyTorch sums in fp32 in an order of its own.
    EXPECT_TRUE(codes_.offset.allclose(read("offset"), 1e-6, 0));
    EXPECT_TRUE(codes_.scales.allclose(read("scales"), 1e-6, 0));
  }
}

// With the offset of bitsandbytes all values are equal to the bit.
TEST_F(NormalFloatParity, DecodedValuesAreEqual) {
  codes_.codes.copy_(read("codes"));
  codes_.zeros.copy_(read("scale_codes"));
  codes_.scales.copy_(read("scales"));
  codes_.offset.copy_(read("offset"));
  const at::Tensor values = at::empty(matrix_.sizes(), at::kFloat);
  decode_groups(codes_, values);
  EXPECT_TRUE(values.equal(read("decoded")));
}

}  // namespace
}  // namespace galore::kernels
