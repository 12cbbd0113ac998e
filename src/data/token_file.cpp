#include "data/token_file.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/errors.h"

namespace galore {
namespace {

constexpr uint64_t kHeaderBytes = 1024;
constexpr int32_t kMagic16 = 20240520, kVersion16 = 1, kMagic32 = 20240801, kVersion32 = 7;
constexpr int64_t kReadTokens = 1 << 16;

template <typename Stored>
void widen(const char* bytes, int64_t count, int64_t* target) {
  for (int64_t i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, bytes + static_cast<size_t>(i) * sizeof value, sizeof value);
    target[i] = static_cast<int64_t>(value);
  }
}

template <typename Stored>
void read_widened(const RandomAccessFile& file, uint64_t offset, int64_t count, int64_t* target) {
  std::vector<char> buffer(static_cast<size_t>(std::min(count, kReadTokens)) * sizeof(Stored));
  for (int64_t done = 0; done < count;) {
    const int64_t now = std::min(kReadTokens, count - done);
    file.read(offset + static_cast<uint64_t>(done) * sizeof(Stored), buffer.data(),
              static_cast<size_t>(now) * sizeof(Stored));
    widen<Stored>(buffer.data(), now, target + done);
    done += now;
  }
}

Path with_extension(const Path& stem, const char* extension) { return stem.string() + extension; }

}  // namespace

uint64_t CacheFooter::computed_checksum() const {
  uint64_t hash = 14695981039346656037ULL;
  const auto* bytes = reinterpret_cast<const unsigned char*>(this);
  for (size_t i = 0; i < offsetof(CacheFooter, checksum); ++i) hash = (hash ^ bytes[i]) * 1099511628211ULL;
  return hash;
}

std::string shard_header(int64_t num_tokens, int token_bytes) {
  const bool wide = token_bytes == 4;
  if (num_tokens > INT32_MAX)
    fail("tokens", "a shard holds at most {} tokens, given {}; write several", INT32_MAX, num_tokens);
  const std::array<int32_t, 3> fields = {wide ? kMagic32 : kMagic16, wide ? kVersion32 : kVersion16,
                                         static_cast<int32_t>(num_tokens)};
  std::string header(kHeaderBytes, '\0');
  std::memcpy(header.data(), fields.data(), sizeof fields);
  return header;
}

std::unique_ptr<TokenFile> TokenFile::open_shard(const Path& path) {
  std::unique_ptr<TokenFile> shard(new TokenFile);
  shard->tokens_ = std::make_unique<RandomAccessFile>(path);
  const uint64_t size = shard->tokens_->size();
  std::array<int32_t, 3> fields{};
  if (size >= kHeaderBytes) shard->tokens_->read(0, fields.data(), sizeof fields);
  const bool narrow = fields[0] == kMagic16 && fields[1] == kVersion16;
  const bool wide = fields[0] == kMagic32 && fields[1] == kVersion32;
  if (!narrow && !wide) {
    if (size % 2 != 0 || size == 0)
      fail(path.string(), "expected tokens of 2 bytes or an llm.c header, the file has {} bytes", size);
    shard->num_tokens_ = static_cast<int64_t>(size / 2);
    return shard;
  }
  shard->token_bytes_ = wide ? 4 : 2;
  shard->data_begin_ = kHeaderBytes;
  shard->num_tokens_ = fields[2];
  const uint64_t expected = kHeaderBytes + static_cast<uint64_t>(std::max(fields[2], 0)) * (wide ? 4 : 2);
  if (fields[2] <= 0 || size != expected)
    fail(path.string(), "the header says {} tokens of {} bytes, so {} bytes; the file has {}", fields[2],
         shard->token_bytes_, expected, size);
  return shard;
}

std::unique_ptr<TokenFile> TokenFile::open_cache(const Path& stem) {
  const Path tokens = with_extension(stem, ".tokens"), offsets = with_extension(stem, ".offsets");
  if (!std::filesystem::is_regular_file(tokens) || !std::filesystem::is_regular_file(offsets)) return nullptr;
  std::unique_ptr<TokenFile> cache(new TokenFile);
  cache->tokens_ = std::make_unique<RandomAccessFile>(tokens);
  cache->offsets_ = std::make_unique<RandomAccessFile>(offsets);
  CacheFooter footer;
  const CacheFooter expected;
  if (cache->tokens_->size() < sizeof footer) return nullptr;
  cache->tokens_->read(cache->tokens_->size() - sizeof footer, &footer, sizeof footer);
  if (std::memcmp(footer.magic, expected.magic, sizeof footer.magic) != 0) return nullptr;
  if (footer.checksum != footer.computed_checksum()) return nullptr;
  // Documents are never empty. The first bound also keeps the products below from overflowing.
  if (footer.num_tokens < 0 || static_cast<uint64_t>(footer.num_tokens) > cache->tokens_->size())
    return nullptr;
  if (footer.num_documents < 0 || footer.num_documents > footer.num_tokens) return nullptr;
  if (footer.token_bytes != 2 && footer.token_bytes != 4) return nullptr;
  cache->token_bytes_ = footer.token_bytes;
  cache->num_tokens_ = footer.num_tokens;
  cache->num_documents_ = footer.num_documents;
  const auto count = static_cast<uint64_t>(footer.num_tokens);
  if (cache->tokens_->size() != count * static_cast<uint64_t>(footer.token_bytes) + sizeof footer)
    return nullptr;
  if (cache->offsets_->size() != (static_cast<uint64_t>(footer.num_documents) + 1) * 8) return nullptr;
  if (!footer.has_labels) return cache;
  const Path labels = with_extension(stem, ".labels");
  if (!std::filesystem::is_regular_file(labels)) return nullptr;
  cache->labels_ = std::make_unique<RandomAccessFile>(labels);
  return cache->labels_->size() == count * 4 ? std::move(cache) : nullptr;
}

TokenRange TokenFile::document(int64_t index) const {
  GALORE_ASSERT(index >= 0 && index < num_documents_);
  std::array<int64_t, 2> bounds{};
  offsets_->read(static_cast<uint64_t>(index) * 8, bounds.data(), sizeof bounds);
  check_bounds(index, bounds[0], bounds[1]);
  return {bounds[0], bounds[1] - bounds[0]};
}

void TokenFile::check_bounds(int64_t index, int64_t begin, int64_t end) const {
  if (begin < 0 || end <= begin || end > num_tokens_)
    fail(offsets_->path().string(), "document {} is damaged; delete the file to have it built again", index);
}

void TokenFile::append_lengths(int64_t count, std::vector<int32_t>& lengths) const {
  GALORE_ASSERT(count >= 0 && count <= num_documents_);
  std::vector<int64_t> bounds(static_cast<size_t>(std::min(count, kReadTokens)) + 1);
  for (int64_t done = 0; done < count;) {
    const int64_t now = std::min(kReadTokens, count - done);
    offsets_->read(static_cast<uint64_t>(done) * 8, bounds.data(), static_cast<size_t>(now + 1) * 8);
    for (int64_t i = 0; i < now; ++i) {
      const int64_t begin = bounds[static_cast<size_t>(i)], end = bounds[static_cast<size_t>(i) + 1];
      check_bounds(done + i, begin, end);
      lengths.push_back(static_cast<int32_t>(std::min<int64_t>(end - begin, INT32_MAX)));
    }
    done += now;
  }
}

void TokenFile::read(int64_t begin, int64_t count, int64_t* ids, int64_t* labels) const {
  GALORE_ASSERT(begin >= 0 && count >= 0 && begin + count <= num_tokens_);
  const uint64_t offset = data_begin_ + static_cast<uint64_t>(begin) * static_cast<uint64_t>(token_bytes_);
  if (token_bytes_ == 2)
    read_widened<uint16_t>(*tokens_, offset, count, ids);
  else
    read_widened<uint32_t>(*tokens_, offset, count, ids);
  if (labels_)
    read_widened<int32_t>(*labels_, static_cast<uint64_t>(begin) * 4, count, labels);
  else
    std::copy(ids, ids + count, labels);
}

}  // namespace galore
