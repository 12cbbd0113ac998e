#include "checkpoint/safetensors.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/errors.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/test_folder.h"

namespace galore {
namespace {

void write_bytes(const Path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string with_header(const std::string& header, size_t data_bytes) {
  std::string file(8, '\0');
  for (int i = 0; i < 8; ++i) file[i] = static_cast<char>(header.size() >> (8 * i));
  return file + header + std::string(data_bytes, '\0');
}

// Returns the message of the Error for opening a file with this content, or "" if it opens.
std::string file_error(const std::string& file) {
  const TestFolder folder;
  write_bytes(folder / "x.safetensors", file);
  try {
    SafetensorsReader reader(folder / "x.safetensors");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string header_error(const std::string& header, size_t data_bytes) {
  const std::string message = file_error(with_header(header, data_bytes));
  EXPECT_TRUE(message.empty() || message.find("x.safetensors") != std::string::npos) << message;
  return message;
}

void expect_header_error(const std::string& header, size_t data_bytes, const std::string& part) {
  const std::string message = header_error(header, data_bytes);
  EXPECT_NE(message.find(part), std::string::npos) << header << "\ngave: " << message;
}

const std::vector<at::ScalarType> kAllDtypes{at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong,
                                             at::kInt,    at::kShort, at::kChar, at::kByte,     at::kBool};

TEST(Safetensors, EveryDtypeSurvives) {
  const TestFolder folder;
  std::vector<TensorToWrite> tensors;
  for (const at::ScalarType dtype : kAllDtypes)
    tensors.emplace_back(c10::toString(dtype), at::arange(15).reshape({3, 5}).remainder(2).to(dtype));
  tensors.emplace_back("scalar", at::tensor(3.5));
  tensors.emplace_back("empty", at::empty({0, 7}));
  write_safetensors(folder / "x.safetensors", tensors, {{"made_by", "a test"}});
  const SafetensorsReader reader(folder / "x.safetensors");
  EXPECT_EQ(reader.metadata().at("format"), "pt");
  EXPECT_EQ(reader.metadata().at("made_by"), "a test");
  ASSERT_EQ(reader.tensors().size(), tensors.size());
  for (const TensorToWrite& tensor : tensors) {
    const at::Tensor read = reader.read(tensor.name);
    EXPECT_EQ(read.scalar_type(), tensor.dtype);
    EXPECT_TRUE(at::equal(read, tensor.value)) << tensor.name;
  }
}

TEST(Safetensors, UnsignedDtypesAreRead) {
  const TestFolder folder;
  std::string file = with_header(
      R"({"a":{"dtype":"U32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"U16","shape":[1],"data_offsets":[4,6]}})",
      6);
  file[file.size() - 2] = 7;
  write_bytes(folder / "x.safetensors", file);
  const SafetensorsReader reader(folder / "x.safetensors");
  EXPECT_EQ(reader.read("a").scalar_type(), at::kUInt32);
  EXPECT_EQ(reader.read("b").to(at::kLong).item<int64_t>(), 7);
}

TEST(Safetensors, DataIsAlignedAndHeaderPadded) {
  const TestFolder folder;
  write_safetensors(folder / "x.safetensors", {{"odd", at::zeros({3}, at::kByte)}, {"f", at::ones({2})}});
  const SafetensorsReader reader(folder / "x.safetensors");
  EXPECT_EQ(reader.tensors()[0].name, "f");
  EXPECT_EQ(reader.tensors()[0].offset % 8, 0u);
}

TEST(Safetensors, ConvertsAmongFloats) {
  const TestFolder folder;
  // The tensor has more elements than a buffer, so that several chunks are joined.
  const at::Tensor source = at::arange(3'000'001, at::kDouble).remainder(257) / 16 - 8;
  for (const at::ScalarType from : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16}) {
    write_safetensors(folder / "x.safetensors", {{"x", source, from}});
    const SafetensorsReader reader(folder / "x.safetensors");
    for (const at::ScalarType to : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16}) {
      at::Tensor read = at::empty(source.sizes(), to);
      reader.read_into("x", read);
      EXPECT_TRUE(at::equal(read, source.to(from).to(to))) << from << " to " << to;
    }
  }
}

TEST(Safetensors, NonContiguousOnBothSides) {
  const TestFolder folder;
  const at::Tensor value = at::arange(12, at::kFloat).reshape({3, 4});
  write_safetensors(folder / "x.safetensors", {{"x", value.t()}});
  const SafetensorsReader reader(folder / "x.safetensors");
  EXPECT_TRUE(at::equal(reader.read("x"), value.t()));
  at::Tensor target = at::empty({3, 4}, at::kHalf).t();
  reader.read_into("x", target);
  EXPECT_TRUE(at::equal(target, value.t().to(at::kHalf)));
}

// Reading with conversion must not hold the tensor twice. 128 MB of F32 are read into an existing tensor of
// 64 MB of BF16.
TEST(Safetensors, ConversionNeedsOneSmallBuffer) {
  const TestFolder folder;
  const int64_t count = 32 << 20;
  write_bytes(folder / "x.safetensors",
              with_header(fmt::format(R"({{"a":{{"dtype":"F32","shape":[{}],"data_offsets":[0,{}]}}}})",
                                      count, count * 4),
                          0));
  const uint64_t header_bytes = std::filesystem::file_size(folder / "x.safetensors");
  std::filesystem::resize_file(folder / "x.safetensors", header_bytes + count * 4);  // sparse zeros
  const SafetensorsReader reader(folder / "x.safetensors");
  at::Tensor destination = at::ones({count}, at::kBFloat16);
  std::ofstream("/proc/self/clear_refs") << 5;  // resets the peak
  const int64_t before = resident_bytes();
  reader.read_into("a", destination);
  // The limit covers 4 MB of buffer and the needs of allocator and threads; the whole tensor would take 128
  // MB.
  EXPECT_LT(peak_resident_bytes() - before, 24 << 20);
  EXPECT_EQ(destination.count_nonzero().item<int64_t>(), 0);
}

TEST(Safetensors, WrongDestinationIsRefused) {
  const TestFolder folder;
  write_safetensors(folder / "x.safetensors", {{"x", at::ones({2, 3})}, {"i", at::ones({2}, at::kLong)}});
  const SafetensorsReader reader(folder / "x.safetensors");
  at::Tensor transposed = at::empty({3, 2}), integers = at::empty({2, 3}, at::kLong), floats = at::empty({2});
  EXPECT_THROW(reader.read_into("x", transposed), Error);
  EXPECT_THROW(reader.read_into("x", integers), Error);
  EXPECT_THROW(reader.read_into("i", floats), Error);
  EXPECT_THROW(reader.read("y"), Error);
}

TEST(Safetensors, DuplicateNamesAreNotWritten) {
  const TestFolder folder;
  EXPECT_THROW(write_safetensors(folder / "x", {{"x", at::ones({2})}, {"x", at::ones({2})}}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(SafetensorsHostile, Lengths) {
  EXPECT_NE(file_error(""), "");
  EXPECT_NE(file_error("1234567"), "");
  EXPECT_NE(file_error(std::string(8, '\xff')).find("expected at most"), std::string::npos);
  EXPECT_NE(file_error(std::string("\x00\x00\x00\x05\x00\x00\x00\x00", 8) + "{}"), "");
  EXPECT_NE(file_error(std::string("\x10\0\0\0\0\0\0\0", 8) + "{}").find("truncated"), std::string::npos);
  EXPECT_EQ(file_error(with_header("{}", 0)), "");
  EXPECT_EQ(file_error(with_header("{}   ", 0)), "");
}

TEST(SafetensorsHostile, Json) {
  expect_header_error("", 0, "begin");
  expect_header_error(" {}", 0, "begin");
  expect_header_error("[]", 0, "begin");
  expect_header_error("{", 0, "JSON");
  expect_header_error("{}{}", 0, "JSON");
  expect_header_error("{\"a\xff\":{}}", 0, "JSON");
  expect_header_error(R"({"a":1})", 0, "unexpected number");
  expect_header_error(R"({"a":[1]})", 0, "unexpected array");
  expect_header_error(R"({"a":{"dtype":"F32","shape":[],"x":1}})", 4, "field 'x'");
  expect_header_error(R"({"a":{"dtype":{"b":1}}})", 4, "nested object");
  expect_header_error(R"({"a":{"shape":[[1]]}})", 4, "nested array");
  expect_header_error(R"({"a":{"dtype":3}})", 4, "unexpected number");
  expect_header_error(R"({"a":{"dtype":null}})", 4, "null");
  expect_header_error(R"({"a":{"shape":["1"]}})", 4, "text");
  expect_header_error(R"({"__metadata__":{"a":1}})", 0, "number");
  expect_header_error(R"({"__metadata__":{"a":{"b":"c"}}})", 0, "nested object");
  expect_header_error("{\"a\":{\"shape\":" + std::string(100'000, '['), 0, "nested array");
  expect_header_error("{\"a\":" + std::string(100'000, '{'), 0, "JSON");
}

TEST(SafetensorsHostile, Fields) {
  expect_header_error(R"({"a":{}})", 4, "no 'dtype'");
  expect_header_error(R"({"a":{"dtype":"F32","shape":[1]}})", 4, "no 'data_offsets'");
  expect_header_error(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, "no 'shape'");
  expect_header_error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, "two data_offsets");
  expect_header_error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}})", 4, "two data_offsets");
  expect_header_error(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4,
                      "second field");
  expect_header_error(R"({"a":{"dtype":"Q4_K","shape":[1],"data_offsets":[0,4]}})", 4,
                      "unknown dtype 'Q4_K'");
  const std::string a = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  EXPECT_EQ(header_error("{" + a + "}", 4), "");
  expect_header_error("{" + a + "," + a + "}", 4, "twice");
  expect_header_error(R"({"__metadata__":{},"__metadata__":{}})", 0, "twice");
}

std::string one_tensor(const std::string& shape, const std::string& offsets,
                       const std::string& dtype = "F32") {
  return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

TEST(SafetensorsHostile, Numbers) {
  expect_header_error(one_tensor("[-1]", "[0,4]"), 4, "negative");
  expect_header_error(one_tensor("[1.0]", "[0,4]"), 4, "number");
  expect_header_error(one_tensor("[1e0]", "[0,4]"), 4, "number");
  expect_header_error(one_tensor("[99999999999999999999]", "[0,4]"), 4, "number");
  expect_header_error(one_tensor("[1]", "[-4,0]"), 4, "negative");
  expect_header_error(one_tensor("[2]", "[0,4]"), 4, "needs 8 bytes");
  expect_header_error(one_tensor("[1]", "[0,8]"), 8, "needs 4 bytes");
  expect_header_error(one_tensor("[1]", "[4,0]"), 4, "do not lie");
  expect_header_error(one_tensor("[1]", "[4,8]"), 4, "do not lie");
  expect_header_error(one_tensor("[1]", "[18446744073709551612,18446744073709551615]"), 4, "do not lie");
  expect_header_error(one_tensor("[4611686018427387904,4]", "[0,0]"), 0, "overflows");
  expect_header_error(one_tensor("[4294967296,4294967296]", "[0,0]"), 0, "overflows");
  expect_header_error(one_tensor("[0,9223372036854775808]", "[0,0]"), 0, "overflows");
  expect_header_error(one_tensor("[9223372036854775807,0]", "[0,0]"), 0, "overflows");
  expect_header_error(one_tensor("[1" + std::string(140, ' ') + "]", "[0,4]"), 8, "belong to none");
  std::string ones = "[1";
  for (int i = 0; i < 70; ++i) ones += ",1";
  expect_header_error(one_tensor(ones + "]", "[0,4]"), 4, "more than 64");
}

std::string two_tensors(const std::string& a, const std::string& b) {
  return R"({"a":{"dtype":"F32","shape":[2],"data_offsets":)" + a +
         R"(},"b":{"dtype":"F32","shape":[2],"data_offsets":)" + b + "}}";
}

TEST(SafetensorsHostile, Layout) {
  EXPECT_EQ(header_error(two_tensors("[0,8]", "[8,16]"), 16), "");
  EXPECT_EQ(header_error(two_tensors("[8,16]", "[0,8]"), 16), "");
  expect_header_error(two_tensors("[0,8]", "[0,8]"), 8, "overlaps");
  expect_header_error(two_tensors("[0,8]", "[4,12]"), 12, "overlaps");
  expect_header_error(two_tensors("[0,8]", "[12,20]"), 20, "hole");
  expect_header_error(two_tensors("[4,12]", "[12,20]"), 20, "hole");
  expect_header_error(two_tensors("[0,8]", "[8,16]"), 20, "4 bytes after");
  expect_header_error(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                      R"("b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
                      6, "misaligned");
}

TEST(SafetensorsHostile, TruthValuesOtherThanZeroAndOne) {
  const TestFolder folder;
  std::string file = with_header(one_tensor("[2]", "[0,2]", "BOOL"), 2);
  file.back() = 2;
  write_bytes(folder / "x.safetensors", file);
  const SafetensorsReader reader(folder / "x.safetensors");
  EXPECT_THROW(reader.read("a"), Error);
}

TEST(SafetensorsHostile, ShrunkAfterOpening) {
  const TestFolder folder;
  write_safetensors(folder / "x.safetensors", {{"x", at::ones({1000})}});
  const SafetensorsReader reader(folder / "x.safetensors");
  std::filesystem::resize_file(folder / "x.safetensors", 200);
  EXPECT_THROW(reader.read("x"), Error);
}

std::string mutated(std::string bytes, RandomStream& random) {
  const uint64_t kind = random.below(4);
  // Half of the changes hit the length and the header, where they have the largest effect.
  const uint64_t reach = random.below(2) == 0 ? bytes.size() : std::min<uint64_t>(bytes.size(), 300);
  if (kind == 0) return bytes.substr(0, random.below(bytes.size()));
  const uint64_t changes = 1 + random.below(4);
  for (uint64_t i = 0; i < changes; ++i) {
    const uint64_t at = random.below(reach);
    if (kind == 1) bytes[at] = static_cast<char>(random.below(256));
    if (kind == 2) bytes[at] = "0123456789[]{},:\""[random.below(17)];
    if (kind == 3) bytes.insert(at, 1, static_cast<char>(random.below(256)));
  }
  return bytes;
}

// A damaged file opens or is an Error, and any file that opens can be read.
TEST(SafetensorsHostile, RandomMutations) {
  const TestFolder folder;
  const Path path = folder / "x.safetensors";
  write_safetensors(path, {{"a.weight", at::ones({4, 3})},
                           {"b.weight", at::ones({5}, at::kBFloat16)},
                           {"flags", at::ones({3}, at::kBool)},
                           {"step", at::ones({1}, at::kLong)}});
  const std::string original = read_file(path);
  RandomStream random(7, "mutations");
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    write_bytes(path, mutated(original, random));
    try {
      const SafetensorsReader reader(path);
      for (const TensorInfo& info : reader.tensors()) {
        at::Tensor read = at::empty(info.shape, info.dtype);
        reader.read_into(info.name, read);
      }
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_LT(refused, 2000);
}

}  // namespace
}  // namespace galore
