// Token ids on disk, read through pread and never mapped.
//
// There are two kinds. Shards (.bin) have the 1024-byte header of llm.c (256 int32: magic 20240520, version
// 1, count, then uint16; magic 20240801, version 7, then uint32) or no header at all (uint16, as nanoGPT
// writes them), and no document boundaries. Caches, written by token_cache.h, are three files NAME.tokens,
// NAME.offsets and NAME.labels (the last one only if the data had labels).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/labels.h"

namespace galore {

// The width of the ids in a .bin file without a header. automatic: two bytes, unless the content contradicts.
enum class TokenDtype { automatic, uint16, uint32 };
// Accepts "auto", "uint16" or "uint32"; any other name is a UsageError.
TokenDtype token_dtype_from_name(const std::string& name);

struct TokenRange {
  int64_t begin = 0, count = 0;
};

struct ShardHeader;

class TokenFile {
 public:
  // A size that does not fit the header or the content is an Error, and so are an unknown version of the
  // header, a `dtype` that contradicts it, and without `dtype` a headerless file in which every second number
  // is zero.
  static std::unique_ptr<TokenFile> open_shard(const Path& path, TokenDtype dtype = TokenDtype::automatic);
  // `stem` is the cache's path without extension. Returns null when there is no complete cache.
  static std::unique_ptr<TokenFile> open_cache(const Path& stem);

  const Path& path() const { return tokens_->path(); }
  int64_t num_tokens() const { return num_tokens_; }
  // 0 for shards
  int64_t num_documents() const { return num_documents_; }
  bool has_documents() const { return offsets_ != nullptr; }
  bool has_labels() const { return labels_ != nullptr; }
  // Returns true for a shard whose header says the width of its ids.
  bool has_header() const { return data_begin_ > 0; }
  int token_bytes() const { return token_bytes_; }
  TokenRange document(int64_t index) const;
  // Appends the number of tokens of each of the first `count` documents.
  void append_lengths(int64_t count, std::vector<int32_t>& lengths) const;
  // Reads `count` ids and labels from token `begin` on. Labels that are not stored equal the ids.
  void read(int64_t begin, int64_t count, int64_t* ids, int64_t* labels) const;

 private:
  TokenFile() = default;
  void check_bounds(int64_t index, int64_t begin, int64_t end) const;
  void take_header(const ShardHeader& header);
  void take_headerless(TokenDtype dtype);

  std::unique_ptr<RandomAccessFile> tokens_, offsets_, labels_;
  uint64_t data_begin_ = 0;
  int token_bytes_ = 2;
  int64_t num_tokens_ = 0, num_documents_ = 0;
};

// The end of a cache's token file. The checksum covers the fields before it.
struct CacheFooter {
  char magic[8] = {'g', 'a', 'l', 'o', 'r', 'e', 'T', '1'};
  int64_t num_tokens = 0, num_documents = 0;
  int32_t token_bytes = 2, has_labels = 0;
  uint64_t checksum = 0;

  uint64_t computed_checksum() const;
};

// Returns the 1024-byte header of an llm.c shard for this number of tokens of this width (2 or 4 bytes).
std::string shard_header(int64_t num_tokens, int token_bytes);

}  // namespace galore
