// Writes GGUF files, version 3: metadata and tensors for llama.cpp and Ollama
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"

namespace galore {

// The number formats of tensors. q8_0 keeps blocks of 32 numbers as 8-bit codes with one fp16 scale.
enum class GgufType : uint32_t { f32 = 0, f16 = 1, q8_0 = 8, bf16 = 30 };

// Accepts "f32", "f16", "bf16" or "q8_0"; any other name is a UsageError.
GgufType gguf_type_from_name(const std::string& name);
// Returns the bytes of `elements` numbers, which fill whole blocks.
uint64_t gguf_bytes(GgufType type, int64_t elements);
// Returns the numbers of an fp32 tensor on the CPU in this format. A q8_0 scale is the block's largest
// absolute value over 127, and codes are rounded to nearest, halves away from zero.
std::string gguf_encoded(GgufType type, const at::Tensor& values);

// Key-value pairs in the order of adding. Names have no place twice.
class GgufMetadata {
 public:
  void add(const std::string& key, const std::string& value);
  void add(const std::string& key, const char* value) { add(key, std::string(value)); }
  void add(const std::string& key, uint32_t value);
  void add(const std::string& key, float value);
  void add(const std::string& key, bool value);
  void add(const std::string& key, const std::vector<std::string>& values);
  void add(const std::string& key, const std::vector<float>& values);
  void add(const std::string& key, const std::vector<int32_t>& values);
  void add(const std::string& key, const std::vector<bool>& values);

  uint64_t count() const { return count_; }
  const std::string& bytes() const { return bytes_; }

 private:
  void begin(const std::string& key, uint32_t type);
  void begin_list(const std::string& key, uint32_t type, uint64_t size);

  std::string bytes_;
  uint64_t count_ = 0;
};

// A tensor to write. `write` gives its bytes in order, in as many pieces as it likes.
struct GgufTensor {
  std::string name;
  std::vector<int64_t> shape;  // the last dimension is contiguous
  GgufType type = GgufType::f32;
  std::function<void(const std::function<void(const std::string&)>& take)> write;

  uint64_t bytes() const;
};

// Writes a file and commits it.
void write_gguf(const Path& path, const GgufMetadata& metadata, const std::vector<GgufTensor>& tensors);

}  // namespace galore
