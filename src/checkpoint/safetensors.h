// The safetensors file format: eight bytes of header length (little endian), a JSON header, then the tensors'
// bytes without holes (https://github.com/huggingface/safetensors, README, "Format").
//
// A file is read through a bounded buffer, never mapped and never held twice. Every number in the header is
// checked before anything is allocated: no file makes the reader use more memory than the file's own size
// allows. Stricter than the format: a tensor must begin at a multiple of its element size within the data,
// as the official writer guarantees.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/group_codes.h"
#include "core/parameter.h"

namespace galore {

inline constexpr uint64_t kLargestSafetensorsHeader = 100'000'000;  // the official reader's limit

struct TensorInfo {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;
  uint64_t offset = 0;  // from the beginning of the file
  uint64_t bytes = 0;
  int64_t num_elements() const;
};

// The format's name of a dtype ("F32", "BF16", ...). A dtype the format does not have is an Error.
std::string safetensors_dtype_name(at::ScalarType dtype);

class SafetensorsReader {
 public:
  // Reads and checks the whole header; a damaged or hostile file is an Error that names file and tensor.
  explicit SafetensorsReader(Path path);

  const Path& path() const { return file_.path(); }
  uint64_t file_bytes() const { return file_.size(); }
  // In the order of their bytes in the file.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // Null if there is no such tensor.
  const TensorInfo* find(const std::string& name) const;
  // As find; a missing tensor is an Error.
  const TensorInfo& at(const std::string& name) const;

  // Copies a tensor into `destination` of the same shape, on any device. F64, F32, BF16 and F16 are converted
  // among each other, in chunks of a few MB; every other dtype must be the destination's own.
  void read_into(const std::string& name, at::Tensor& destination) const;
  // Elements [first, first + destination.numel()) of the flat tensor, converted as above.
  void read_part(const TensorInfo& info, int64_t first, at::Tensor& destination) const;
  // The tensor in its own dtype, on the CPU.
  at::Tensor read(const std::string& name) const;
  // Part of a tensor's bytes as they stand in the file: elements [first, first + count).
  void read_elements(const TensorInfo& info, int64_t first, int64_t count, void* destination) const;

 private:
  void check_layout(uint64_t data_begin);

  RandomAccessFile file_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, size_t> by_name_;
  std::map<std::string, std::string> metadata_;
};

// A tensor and the dtype it gets in the file (by default its own). The value may lie on any device; one that
// is not contiguous is copied while it is written, and no two such copies exist at once; one in codes is
// decoded piece by piece.
struct TensorToWrite {
  TensorToWrite(std::string tensor_name, at::Tensor tensor_value)
      : name(std::move(tensor_name)), value(std::move(tensor_value)), dtype(value.scalar_type()) {}
  TensorToWrite(std::string tensor_name, at::Tensor tensor_value, at::ScalarType file_dtype)
      : name(std::move(tensor_name)), value(std::move(tensor_value)), dtype(file_dtype) {}
  TensorToWrite(std::string tensor_name, const GroupCodes& in_codes, at::ScalarType file_dtype)
      : name(std::move(tensor_name)), value(in_codes.codes), dtype(file_dtype), codes(in_codes) {}

  // A parameter as layers compute with it. `file_dtype`: of the file.
  TensorToWrite(const Parameter& parameter, at::ScalarType file_dtype);

  std::string name;
  at::Tensor value;
  at::ScalarType dtype;
  std::optional<GroupCodes> codes;      // of 8 bits, which have the shape of what they stand for
  const Parameter* computed = nullptr;  // has a term, and is computed while it is written
  uint64_t bytes() const;
};

// Writes header and tensors; the caller commits the file. The bytes stand in the given order, except that
// tensors of larger elements come first, so that every tensor is aligned. The metadata always says
// {"format": "pt"}, which transformers asks for. Names must be unique.
void write_safetensors(AtomicFile& file, const std::vector<TensorToWrite>& tensors,
                       std::map<std::string, std::string> metadata = {});
// As above, and commits.
void write_safetensors(const Path& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace galore
