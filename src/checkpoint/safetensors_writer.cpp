#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_header.h"
#include "core/errors.h"
#include "kernels/group_quantize.h"
#include "kernels/weight_term.h"

namespace galore {
namespace {

constexpr int64_t kConversionBytes = 4 << 20;
constexpr size_t kHeaderAlignment = 8;

std::string header_text(const std::vector<const TensorToWrite*>& tensors,
                        std::map<std::string, std::string> metadata) {
  metadata.emplace("format", "pt");
  nlohmann::ordered_json header;
  header["__metadata__"] = metadata;
  std::set<std::string> names{"__metadata__"};
  uint64_t position = 0;
  for (const TensorToWrite* tensor : tensors) {
    if (!names.insert(tensor->name).second)
      fail("safetensors", "two tensors to write are named {}", quoted_name(tensor->name));
    header[tensor->name] = {{"dtype", safetensors_dtype_name(tensor->dtype)},
                            {"shape", tensor->value.sizes().vec()},
                            {"data_offsets", {position, position + tensor->bytes()}}};
    position += tensor->bytes();
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((kHeaderAlignment - text.size() % kHeaderAlignment) % kHeaderAlignment, ' ');
  if (text.size() > kLargestSafetensorsHeader)
    fail("safetensors", "a header of {} bytes, expected at most {}", text.size(), kLargestSafetensorsHeader);
  return text;
}

void write_length(AtomicFile& file, uint64_t length) {
  unsigned char bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(length >> (8 * i));
  file.write(bytes, sizeof bytes);
}

void write_decoded(AtomicFile& file, const GroupQuantized& codes, at::ScalarType dtype) {
  const int64_t size = codes.format.group_size, total = codes.numel();
  const int64_t chunk = std::max<int64_t>(1, kConversionBytes / 4 / size) * size;
  const at::Tensor values = at::empty({std::min(chunk, total)}, codes.scales.options());
  for (int64_t first = 0; first < total; first += chunk) {
    const at::Tensor part = values.narrow(0, 0, std::min(chunk, total - first));
    kernels::decode_part(codes, first, part);
    const at::Tensor converted = part.to(at::TensorOptions().device(at::kCPU).dtype(dtype));
    file.write(converted.const_data_ptr(), converted.nbytes());
  }
}

void write_tensor(AtomicFile& file, const TensorToWrite& tensor) {
  if (tensor.fetch) return write_tensor(file, {tensor.name, tensor.fetch(), tensor.dtype});
  if (tensor.value.numel() == 0) return;
  if (tensor.computed)
    return write_tensor(file, {tensor.name, effective_value(*tensor.computed), tensor.dtype});
  if (tensor.codes) return write_decoded(file, *tensor.codes, tensor.dtype);
  const at::Tensor contiguous = tensor.value.detach().contiguous();
  if (contiguous.device().is_cpu() && contiguous.scalar_type() == tensor.dtype) {
    file.write(contiguous.const_data_ptr(), tensor.bytes());
    return;
  }
  const at::Tensor flat = contiguous.view({-1});
  const int64_t chunk = kConversionBytes / static_cast<int64_t>(c10::elementSize(tensor.dtype));
  for (int64_t first = 0; first < flat.numel(); first += chunk) {
    const at::Tensor part = flat.narrow(0, first, std::min(chunk, flat.numel() - first));
    const at::Tensor converted = part.to(at::TensorOptions().device(at::kCPU).dtype(tensor.dtype));
    file.write(converted.const_data_ptr(), converted.nbytes());
  }
}

}  // namespace

TensorToWrite::TensorToWrite(const Parameter& parameter, at::ScalarType file_dtype)
    : name(parameter.name),
      value(parameter.codes ? parameter.codes->codes : parameter.value),
      dtype(file_dtype),
      codes(parameter.codes),
      computed(parameter.has_term() ? &parameter : nullptr) {}

uint64_t TensorToWrite::bytes() const {
  return static_cast<uint64_t>(value.numel()) * c10::elementSize(dtype);
}

void write_safetensors(AtomicFile& file, const std::vector<TensorToWrite>& tensors,
                       std::map<std::string, std::string> metadata) {
  std::vector<const TensorToWrite*> ordered;
  for (const TensorToWrite& tensor : tensors) {
    GALORE_ASSERT(tensor.fetch || (tensor.value.defined() && !tensor.value.is_meta()));
    ordered.push_back(&tensor);
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](const TensorToWrite* a, const TensorToWrite* b) {
    return c10::elementSize(a->dtype) > c10::elementSize(b->dtype);
  });
  const std::string header = header_text(ordered, std::move(metadata));
  write_length(file, header.size());
  file.write(header);
  for (const TensorToWrite* tensor : ordered) write_tensor(file, *tensor);
}

void write_safetensors(const Path& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  AtomicFile file(path);
  write_safetensors(file, tensors, metadata);
  file.commit();
}

}  // namespace galore
