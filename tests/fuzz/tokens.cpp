// Reads any bytes as a token shard (.bin) and as the files of a token cache. They are read completely or
// refused.
#include "core/errors.h"
#include "data/token_file.h"
#include "fuzz/memory_file.h"

namespace {

using namespace galore;

void read_all(const TokenFile& file) {
  std::vector<int64_t> ids(static_cast<size_t>(file.num_tokens())), labels(ids.size());
  file.read(0, file.num_tokens(), ids.data(), labels.data());
  for (int64_t i = 0; i < file.num_documents(); ++i) {
    const TokenRange range = file.document(i);
    if (range.begin < 0 || range.count < 0 || range.begin + range.count > file.num_tokens()) std::abort();
  }
}

void read_shard(const uint8_t* data, size_t size) {
  const MemoryFile file(data, size);
  const auto shard = TokenFile::open_shard(file.path());
  if (static_cast<size_t>(shard->num_tokens()) > size) std::abort();
  read_all(*shard);
}

// The first two bytes are the lengths of two of the files.
void read_cache(const uint8_t* data, size_t size) {
  if (size < 2) return;
  const size_t tokens = std::min<size_t>(data[0], size - 2);
  const size_t offsets = std::min<size_t>(data[1], size - 2 - tokens);
  data += 2, size -= 2;
  const NamedMemoryFile first("cache.tokens", data, tokens);
  const NamedMemoryFile second("cache.offsets", data + tokens, offsets);
  const NamedMemoryFile third("cache.labels", data + tokens + offsets, size - tokens - offsets);
  if (const auto cache = TokenFile::open_cache(memory_folder() / "cache")) read_all(*cache);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  try {
    data[0] == 'C' ? read_cache(data + 1, size - 1) : read_shard(data, size);
  } catch (const Error&) {
  }
  return 0;
}
