#include "data/token_file.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/errors.h"
#include "core/file_kinds.h"

namespace galore {

struct ShardHeader {
  int token_bytes = 2;
  int32_t count = 0;
};

namespace {

constexpr uint64_t kHeaderBytes = 1024;
constexpr int32_t kMagic16 = 20240520, kVersion16 = 1, kMagic32 = 20240801, kVersion32 = 7;
constexpr int64_t kReadTokens = 1 << 16;
constexpr size_t kFewestPairs = 4;  // fewer numbers say nothing about the width

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

// Throws for a known magic number with an unknown version, because its tokens may stand elsewhere.
std::optional<ShardHeader> read_header(const RandomAccessFile& file) {
  std::array<int32_t, 3> fields{};
  std::string start(std::min<uint64_t>(file.size(), kKindBytes), '\0');
  file.read(0, start.data(), start.size());
  if (const std::string pointer = lfs_pointer(start); !pointer.empty())
    fail(file.path().string(), "{}", pointer);
  if (start.starts_with("\x93NUMPY"))
    fail(file.path().string(), "a NumPy file: expected tokens alone, as numpy's tofile() writes them");
  if (file.size() < sizeof fields) return std::nullopt;
  file.read(0, fields.data(), sizeof fields);
  const auto [magic, version, count] = fields;
  if (magic != kMagic16 && magic != kMagic32) return std::nullopt;
  const int32_t expected = magic == kMagic16 ? kVersion16 : kVersion32;
  if (version != expected)
    fail(file.path().string(),
         "an llm.c header with the magic number {} and the unknown version {}: expected {}", magic, version,
         expected);
  return ShardHeader{magic == kMagic16 ? 2 : 4, count};
}

// Returns whether the second number of every pair of 16-bit numbers is zero, in the first tokens of a file,
// and some first number is not.
bool looks_wide(const RandomAccessFile& file) {
  const auto pairs = static_cast<size_t>(std::min<uint64_t>(file.size() / 4, kReadTokens));
  std::vector<std::array<uint16_t, 2>> numbers(pairs);
  file.read(0, numbers.data(), pairs * sizeof numbers[0]);
  const auto is_zero = [](size_t place) { return [place](const auto& pair) { return pair[place] == 0; }; };
  return pairs >= kFewestPairs && std::all_of(numbers.begin(), numbers.end(), is_zero(1)) &&
         !std::all_of(numbers.begin(), numbers.end(), is_zero(0));
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

TokenDtype token_dtype_from_name(const std::string& name) {
  if (name == "auto") return TokenDtype::automatic;
  if (name == "uint16") return TokenDtype::uint16;
  if (name == "uint32") return TokenDtype::uint32;
  fail_usage("token_dtype", "expected auto, uint16 or uint32, given '{}'", name);
}

std::unique_ptr<TokenFile> TokenFile::open_shard(const Path& path, TokenDtype dtype) {
  std::unique_ptr<TokenFile> shard(new TokenFile);
  shard->tokens_ = std::make_unique<RandomAccessFile>(path);
  if (const auto header = read_header(*shard->tokens_)) {
    if (dtype != TokenDtype::automatic && (dtype == TokenDtype::uint32) != (header->token_bytes == 4))
      fail(path.string(), "token_dtype: the file's header says tokens of {} bytes", header->token_bytes);
    shard->take_header(*header);
  } else {
    shard->take_headerless(dtype);
  }
  return shard;
}

void TokenFile::take_header(const ShardHeader& header) {
  token_bytes_ = header.token_bytes;
  data_begin_ = kHeaderBytes;
  num_tokens_ = header.count;
  const uint64_t expected =
      kHeaderBytes + static_cast<uint64_t>(std::max(header.count, 0)) * static_cast<uint64_t>(token_bytes_);
  if (header.count <= 0 || tokens_->size() != expected)
    fail(path().string(), "the header says {} tokens of {} bytes, so {} bytes; the file has {}", header.count,
         token_bytes_, expected, tokens_->size());
}

void TokenFile::take_headerless(TokenDtype dtype) {
  token_bytes_ = dtype == TokenDtype::uint32 ? 4 : 2;
  const auto width = static_cast<uint64_t>(token_bytes_);
  if (tokens_->size() == 0 || tokens_->size() % width != 0)
    fail(path().string(), "expected tokens of {} bytes or an llm.c header, the file has {} bytes", width,
         tokens_->size());
  num_tokens_ = static_cast<int64_t>(tokens_->size() / width);
  if (dtype == TokenDtype::automatic && looks_wide(*tokens_))
    fail(
        path().string(),
        "every second number of 16 bits is zero and there is no llm.c header, so these are not tokens of 2 "
        "bytes: give token_dtype=uint32 for tokens of 4 bytes, or token_dtype=uint16 if the zeros are meant");
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
