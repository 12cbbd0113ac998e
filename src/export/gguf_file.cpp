#include "export/gguf_file.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

constexpr int64_t kBlock = 32;       // numbers in a block of q8_0
constexpr uint64_t kAlignment = 32;  // bytes; the format's default
constexpr uint32_t kUint32 = 4, kInt32 = 5, kFloat32 = 6, kBool = 7, kString = 8, kArray = 9;
constexpr std::array<std::pair<const char*, GgufType>, 4> kTypes = {
    {{"f32", GgufType::f32}, {"f16", GgufType::f16}, {"bf16", GgufType::bf16}, {"q8_0", GgufType::q8_0}}};

// Appends the bytes of a number. Every platform that we support is little-endian, as the format is.
template <typename T>
void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_text(std::string& bytes, const std::string& text) {
  append<uint64_t>(bytes, text.size());
  bytes += text;
}

std::string padding(uint64_t bytes) {
  return std::string((kAlignment - bytes % kAlignment) % kAlignment, '\0');
}

std::string encoded_blocks(const at::Tensor& values) {
  const at::Tensor flat = values.contiguous();
  const float* numbers = flat.const_data_ptr<float>();
  std::string bytes;
  bytes.reserve(gguf_bytes(GgufType::q8_0, flat.numel()));
  for (int64_t begin = 0; begin < flat.numel(); begin += kBlock) {
    float largest = 0;
    for (int64_t i = begin; i < begin + kBlock; ++i) largest = std::max(largest, std::abs(numbers[i]));
    const float scale = largest / 127, inverse = scale == 0 ? 0 : 1 / scale;
    append(bytes, at::Half(scale).x);
    for (int64_t i = begin; i < begin + kBlock; ++i)
      append(bytes, static_cast<int8_t>(std::round(numbers[i] * inverse)));
  }
  return bytes;
}

}  // namespace

GgufType gguf_type_from_name(const std::string& name) {
  for (const auto& [known, type] : kTypes)
    if (canonical_name(name) == known) return type;
  fail_usage("type", "expected f32, f16, bf16 or q8_0, given '{}'", name);
}

uint64_t gguf_bytes(GgufType type, int64_t elements) {
  const auto count = static_cast<uint64_t>(elements);
  if (type == GgufType::q8_0) return count / kBlock * (kBlock + sizeof(uint16_t));
  return count * (type == GgufType::f32 ? 4 : 2);
}

std::string gguf_encoded(GgufType type, const at::Tensor& values) {
  if (type == GgufType::q8_0) return encoded_blocks(values);
  const at::ScalarType dtype = type == GgufType::f32   ? at::kFloat
                               : type == GgufType::f16 ? at::kHalf
                                                       : at::kBFloat16;
  const at::Tensor converted = values.to(dtype).contiguous();
  return {static_cast<const char*>(converted.const_data_ptr()), static_cast<size_t>(converted.nbytes())};
}

void GgufMetadata::begin(const std::string& key, uint32_t type) {
  append_text(bytes_, key);
  append(bytes_, type);
  ++count_;
}

void GgufMetadata::begin_list(const std::string& key, uint32_t type, uint64_t size) {
  begin(key, kArray);
  append(bytes_, type);
  append(bytes_, size);
}

void GgufMetadata::add(const std::string& key, const std::string& value) {
  begin(key, kString);
  append_text(bytes_, value);
}

void GgufMetadata::add(const std::string& key, uint32_t value) {
  begin(key, kUint32);
  append(bytes_, value);
}

void GgufMetadata::add(const std::string& key, float value) {
  begin(key, kFloat32);
  append(bytes_, value);
}

void GgufMetadata::add(const std::string& key, bool value) {
  begin(key, kBool);
  append<uint8_t>(bytes_, value ? 1 : 0);
}

void GgufMetadata::add(const std::string& key, const std::vector<std::string>& values) {
  begin_list(key, kString, values.size());
  for (const std::string& value : values) append_text(bytes_, value);
}

void GgufMetadata::add(const std::string& key, const std::vector<float>& values) {
  begin_list(key, kFloat32, values.size());
  for (const float value : values) append(bytes_, value);
}

void GgufMetadata::add(const std::string& key, const std::vector<int32_t>& values) {
  begin_list(key, kInt32, values.size());
  for (const int32_t value : values) append(bytes_, value);
}

void GgufMetadata::add(const std::string& key, const std::vector<bool>& values) {
  begin_list(key, kBool, values.size());
  for (const bool value : values) append<uint8_t>(bytes_, value ? 1 : 0);
}

uint64_t GgufTensor::bytes() const {
  int64_t elements = 1;
  for (const int64_t size : shape) elements *= size;
  return gguf_bytes(type, elements);
}

void write_gguf(const Path& path, const GgufMetadata& metadata, const std::vector<GgufTensor>& tensors) {
  std::string header = "GGUF";
  append<uint32_t>(header, 3);  // the version
  append<uint64_t>(header, tensors.size());
  append(header, metadata.count());
  header += metadata.bytes();
  uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors) {
    append_text(header, tensor.name);
    append(header, static_cast<uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size)
      append(header, static_cast<uint64_t>(*size));
    append(header, static_cast<uint32_t>(tensor.type));
    append(header, offset);
    offset += tensor.bytes() + padding(tensor.bytes()).size();
  }
  AtomicFile file(path);
  file.write(header + padding(header.size()));
  for (const GgufTensor& tensor : tensors) {
    uint64_t written = 0;
    tensor.write([&](const std::string& piece) {
      file.write(piece);
      written += piece.size();
    });
    GALORE_ASSERT(written == tensor.bytes());
    file.write(padding(written));
  }
  file.commit();
}

}  // namespace galore
