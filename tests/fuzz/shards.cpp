// Reads any text as a model.safetensors.index.json with two shards in the folder. It is refused with an
// Error, or the tensors that it names exist.
#include <algorithm>

#include "checkpoint/safetensors.h"
#include "checkpoint/weight_files.h"
#include "core/errors.h"
#include "fuzz/memory_file.h"

namespace {

using namespace galore;

// Returns a shard with the named tensors, of one number each.
NamedMemoryFile shard(const std::string& name, const std::vector<std::string>& tensors) {
  std::string header = "{";
  for (size_t i = 0; i < tensors.size(); ++i)
    header += fmt::format(R"({}"{}":{{"dtype":"F32","shape":[1],"data_offsets":[{},{}]}})", i ? "," : "",
                          tensors[i], 4 * i, 4 * i + 4);
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  bytes += header + std::string(4 * tensors.size(), '\1');
  return {name, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const NamedMemoryFile first = shard("a.safetensors", {"x", "y"});
  static const NamedMemoryFile second = shard("b.safetensors", {"z"});
  const NamedMemoryFile index(kIndexName, data, size);
  try {
    const WeightFiles files(memory_folder());
    std::vector<std::string> names;
    for (const StoredTensor& stored : files.tensors()) {
      names.push_back(stored.info->name);
      stored.file->read(stored.info->name);
    }
    std::sort(names.begin(), names.end());
    if (std::adjacent_find(names.begin(), names.end()) != names.end()) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
