// Reads and writes safetensors files: eight bytes of header length (little-endian), a JSON header, then the
// bytes of the tensors without gaps (https://github.com/huggingface/safetensors, README, "Format").
//
// A file is read through a bounded buffer; it is never mapped and never held twice. Every number in the
// header is checked before memory is allocated, so no file can make the reader use more memory than the
// file's own size allows. We are stricter than the format in one point: within the data a tensor must begin
// at a multiple of its element size, which the official writer guarantees.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/group_quantized.h"
#include "core/parameter.h"

namespace galore {

inline constexpr uint64_t kLargestSafetensorsHeader = 100'000'000;  // the official reader's limit

struct TensorInfo {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;
  uint64_t offset = 0;  // counted from the beginning of the file
  uint64_t bytes = 0;
  int64_t num_elements() const;
};

// Returns the format's name of a dtype ("F32", "BF16", ...). A dtype that the format lacks is an Error.
std::string safetensors_dtype_name(at::ScalarType dtype);

class SafetensorsReader {
 public:
  // Reads and checks the whole header. A damaged or hostile file is an Error that names file and tensor.
  explicit SafetensorsReader(Path path);

  const Path& path() const { return file_.path(); }
  uint64_t file_bytes() const { return file_.size(); }
  // Returns the tensors in the order of their bytes in the file.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // Returns null when there is no such tensor.
  const TensorInfo* find(const std::string& name) const;
  // Returns the tensor's entry; a missing tensor is an Error.
  const TensorInfo& at(const std::string& name) const;

  // Takes `prefix` off the front of all names. A name without it is a programming error, and an assertion.
  void take_off_prefix(const std::string& prefix);

  // Copies a tensor into `destination`, which has the same shape and may be on any device. F64, F32, BF16 and
  // F16 are converted into each other in chunks of a few MB; any other dtype must equal the destination's.
  void read_into(const std::string& name, at::Tensor& destination) const;
  // Reads elements [first, first + destination.numel()) of the flat tensor, with the conversions of
  // read_into().
  void read_part(const TensorInfo& info, int64_t first, at::Tensor& destination) const;
  // Returns the tensor in its own dtype, on the CPU.
  at::Tensor read(const std::string& name) const;
  // Copies the bytes of elements [first, first + count) as they are in the file.
  void read_elements(const TensorInfo& info, int64_t first, int64_t count, void* destination) const;

 private:
  void check_layout(uint64_t data_begin);
  void index_names();

  RandomAccessFile file_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, size_t> by_name_;
  std::map<std::string, std::string> metadata_;
};

// A tensor to write, and its dtype in the file (by default its own). The value may be on any device. A tensor
// that is not contiguous is copied while it is written, one at a time; a quantized tensor is decoded piece by
// piece. With `fetch`, the value gives the sizes alone, and the tensor is fetched when it is written.
struct TensorToWrite {
  TensorToWrite(std::string tensor_name, at::Tensor tensor_value)
      : name(std::move(tensor_name)), value(std::move(tensor_value)), dtype(value.scalar_type()) {}
  TensorToWrite(std::string tensor_name, at::Tensor tensor_value, at::ScalarType file_dtype)
      : name(std::move(tensor_name)), value(std::move(tensor_value)), dtype(file_dtype) {}
  TensorToWrite(std::string tensor_name, const GroupQuantized& in_codes, at::ScalarType file_dtype)
      : name(std::move(tensor_name)), value(in_codes.codes), dtype(file_dtype), codes(in_codes) {}

  // Writes a parameter's value as layers compute with it. `file_dtype` is the dtype in the file.
  TensorToWrite(const Parameter& parameter, at::ScalarType file_dtype);

  std::string name;
  at::Tensor value;
  at::ScalarType dtype;
  std::optional<GroupQuantized> codes;  // 8-bit codes, which have the shape of the tensor
  const Parameter* computed = nullptr;  // a parameter with a term; its value is computed while it is written
  std::function<at::Tensor()> fetch = nullptr;
  uint64_t bytes() const;
};

// Writes header and tensors; the caller commits the file. Bytes have the given order, except that tensors
// with larger elements come first, so that every tensor is aligned. The metadata always contains {"format":
// "pt"}, which transformers requires. Names must be unique.
void write_safetensors(AtomicFile& file, const std::vector<TensorToWrite>& tensors,
                       std::map<std::string, std::string> metadata = {});
// Writes header and tensors to a file and commits it.
void write_safetensors(const Path& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace galore
