// Reads any bytes as a safetensors file. It is read completely or refused with an Error.
#include "checkpoint/safetensors.h"

#include "core/errors.h"
#include "fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const galore::MemoryFile file(data, size);
  try {
    const galore::SafetensorsReader reader(file.path());
    uint64_t bytes = 0;
    for (const galore::TensorInfo& info : reader.tensors()) {
      bytes += info.bytes;
      if (bytes > size) std::abort();  // tensors share bytes or lie outside the file
      reader.read(info.name);
    }
  } catch (const galore::Error&) {
  }
  return 0;
}
