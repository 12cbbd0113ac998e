#include "checkpoint/safetensors.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "checkpoint/safetensors_header.h"
#include "core/errors.h"
#include "core/file_kinds.h"

namespace galore {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr int64_t kBufferBytes = 4 << 20;

uint64_t header_length(const RandomAccessFile& file) {
  const std::string name = file.path().string();
  std::string start(std::min<uint64_t>(file.size(), kKindBytes), '\0');
  file.read(0, start.data(), start.size());
  if (const std::string kind = misplaced_file(start); !kind.empty())
    fail("safetensors", "{}: {}", name, kind);
  if (file.size() < kLengthBytes)
    fail("safetensors", "{}: expected at least {} bytes, the file has {}", name, kLengthBytes, file.size());
  unsigned char bytes[kLengthBytes];
  file.read(0, bytes, kLengthBytes);
  uint64_t length = 0;
  for (int i = kLengthBytes - 1; i >= 0; --i) length = length << 8 | bytes[i];
  if (length > kLargestSafetensorsHeader)
    fail("safetensors", "{}: a header of {} bytes, expected at most {}", name, length,
         kLargestSafetensorsHeader);
  if (length > file.size() - kLengthBytes)
    fail("safetensors", "{}: truncated: a header of {} bytes in a file of {}", name, length, file.size());
  return length;
}

// Returns the shape in libtorch's type. A dimension of zero does not make overflows of others harmless,
// because strides are products too.
std::vector<int64_t> checked_shape(const std::string& file, const HeaderEntry& entry,
                                   uint64_t element_bytes) {
  uint64_t product = element_bytes;
  std::vector<int64_t> shape;
  for (const uint64_t size : entry.shape) {
    const bool overflow = size > 0 && __builtin_mul_overflow(product, size, &product);
    if (overflow || size > INT64_MAX || product > INT64_MAX)
      fail("safetensors", "{}: tensor {}: the shape [{}] overflows", file, quoted_name(entry.name),
           fmt::join(entry.shape, ", "));
    shape.push_back(static_cast<int64_t>(size));
  }
  return shape;
}

TensorInfo checked_tensor(const RandomAccessFile& file, uint64_t data_begin, HeaderEntry& entry) {
  const std::string path = file.path().string();
  TensorInfo info;
  info.dtype = safetensors_dtype(path, entry);
  const uint64_t element_bytes = c10::elementSize(info.dtype);
  info.shape = checked_shape(path, entry, element_bytes);
  const uint64_t begin = entry.data_offsets[0], end = entry.data_offsets[1];
  const uint64_t data_bytes = file.size() - data_begin;
  if (begin > end || end > data_bytes)
    fail("safetensors", "{}: tensor {}: bytes {} to {} do not lie within the file's {} bytes of data", path,
         quoted_name(entry.name), begin, end, data_bytes);
  const uint64_t expected = static_cast<uint64_t>(info.num_elements()) * element_bytes;
  if (end - begin != expected)
    fail("safetensors", "{}: tensor {}: shape [{}] of {} needs {} bytes, given {}", path,
         quoted_name(entry.name), fmt::join(info.shape, ", "), entry.dtype, expected, end - begin);
  if (begin % element_bytes != 0)
    fail("safetensors", "{}: tensor {}: misaligned: offset {} is no multiple of {}", path,
         quoted_name(entry.name), begin, element_bytes);
  info.name = std::move(entry.name);
  info.offset = data_begin + begin;
  info.bytes = expected;
  return info;
}

bool is_convertible(at::ScalarType dtype) {
  return dtype == at::kDouble || dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf;
}

void check_truth_values(const Path& path, const std::string& name, const void* data, uint64_t bytes) {
  const auto* values = static_cast<const unsigned char*>(data);
  if (std::any_of(values, values + bytes, [](unsigned char value) { return value > 1; }))
    fail("safetensors", "{}: tensor {}: a BOOL that is neither 0 nor 1", path.string(), quoted_name(name));
}

}  // namespace

int64_t TensorInfo::num_elements() const {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

SafetensorsReader::SafetensorsReader(Path path) : file_(std::move(path)) {
  std::string text(header_length(file_), '\0');
  file_.read(kLengthBytes, text.data(), text.size());
  SafetensorsHeader header = parse_safetensors_header(file_.path().string(), text);
  metadata_ = std::move(header.metadata);
  const uint64_t data_begin = kLengthBytes + text.size();
  tensors_.reserve(header.entries.size());
  for (HeaderEntry& entry : header.entries) tensors_.push_back(checked_tensor(file_, data_begin, entry));
  check_layout(data_begin);
  index_names();
}

void SafetensorsReader::index_names() {
  by_name_.clear();
  for (size_t i = 0; i < tensors_.size(); ++i) by_name_.emplace(tensors_[i].name, i);
}

void SafetensorsReader::take_off_prefix(const std::string& prefix) {
  for (TensorInfo& info : tensors_) {
    GALORE_ASSERT(info.name.starts_with(prefix));
    info.name.erase(0, prefix.size());
  }
  index_names();
}

// Checks that tensors follow each other without overlaps or gaps up to the end of the file.
void SafetensorsReader::check_layout(uint64_t data_begin) {
  std::stable_sort(tensors_.begin(), tensors_.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  uint64_t position = data_begin;
  for (const TensorInfo& info : tensors_) {
    if (info.offset != position)
      fail("safetensors", "{}: tensor {}: {} the bytes before it (offset {}, expected {})", path().string(),
           quoted_name(info.name), info.offset < position ? "overlaps" : "leaves a hole after",
           info.offset - data_begin, position - data_begin);
    position += info.bytes;
  }
  if (position != file_.size())
    fail("safetensors", "{}: {} bytes after the last tensor belong to none", path().string(),
         file_.size() - position);
}

const TensorInfo* SafetensorsReader::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

const TensorInfo& SafetensorsReader::at(const std::string& name) const {
  const TensorInfo* info = find(name);
  if (info == nullptr) fail("safetensors", "{}: no tensor {}", path().string(), quoted_name(name));
  return *info;
}

void SafetensorsReader::read_elements(const TensorInfo& info, int64_t first, int64_t count,
                                      void* destination) const {
  const uint64_t element_bytes = c10::elementSize(info.dtype);
  GALORE_ASSERT(first >= 0 && count >= 0 && count <= info.num_elements() - first);
  const uint64_t bytes = static_cast<uint64_t>(count) * element_bytes;
  if (bytes == 0) return;
  file_.read(info.offset + static_cast<uint64_t>(first) * element_bytes, destination, bytes);
  if (info.dtype == at::kBool) check_truth_values(path(), info.name, destination, bytes);
}

void SafetensorsReader::read_part(const TensorInfo& info, int64_t begin, at::Tensor& destination) const {
  GALORE_ASSERT(is_convertible(info.dtype) || info.dtype == destination.scalar_type());
  const int64_t total = destination.numel();
  const at::Tensor flat = destination.view({-1});
  const int64_t chunk = kBufferBytes / static_cast<int64_t>(c10::elementSize(info.dtype));
  const at::Tensor buffer = at::empty({std::min(chunk, total)}, info.dtype);
  for (int64_t first = 0; first < total; first += chunk) {
    const int64_t count = std::min(chunk, total - first);
    read_elements(info, begin + first, count, buffer.data_ptr());
    flat.narrow(0, first, count).copy_(buffer.narrow(0, 0, count));
  }
}

void SafetensorsReader::read_into(const std::string& name, at::Tensor& destination) const {
  const TensorInfo& info = at(name);
  if (destination.sizes() != at::IntArrayRef(info.shape))
    fail("safetensors", "{}: tensor {}: expected shape [{}], given [{}]", path().string(), quoted_name(name),
         fmt::join(destination.sizes(), ", "), fmt::join(info.shape, ", "));
  const bool same = destination.scalar_type() == info.dtype;
  if (!same && !(is_convertible(info.dtype) && is_convertible(destination.scalar_type())))
    fail("safetensors", "{}: tensor {}: expected {}, given {}", path().string(), quoted_name(name),
         c10::toString(destination.scalar_type()), c10::toString(info.dtype));
  if (!destination.is_contiguous()) {
    at::Tensor contiguous = at::empty(info.shape, destination.options());
    read_into(name, contiguous);
    destination.copy_(contiguous);
  } else if (same && destination.device().is_cpu()) {
    read_elements(info, 0, info.num_elements(), destination.data_ptr());
  } else {
    read_part(info, 0, destination);
  }
}

at::Tensor SafetensorsReader::read(const std::string& name) const {
  const TensorInfo& info = at(name);
  at::Tensor tensor = at::empty(info.shape, info.dtype);
  read_elements(info, 0, info.num_elements(), tensor.data_ptr());
  return tensor;
}

}  // namespace galore
