#include "data/token_cache.h"

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "chat/chat_encoder.h"
#include "core/errors.h"
#include "core/fnv1a.h"
#include "data/sampled_hash.h"

namespace galore {
namespace {

constexpr uint64_t kWholeFingerprint = 256u << 20;
constexpr size_t kBufferBytes = 1u << 20;

template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// An AtomicFile with a buffer, because documents are small.
class BufferedFile {
 public:
  explicit BufferedFile(const Path& path) : file_(path) {}
  template <typename T>
  void put(T value) {
    const size_t at = buffer_.size();
    buffer_.resize(at + sizeof value);
    std::memcpy(buffer_.data() + at, &value, sizeof value);
    if (buffer_.size() >= kBufferBytes) flush();
  }
  void commit() {
    flush();
    file_.commit();
  }

 private:
  void flush() {
    file_.write(buffer_.data(), buffer_.size());
    buffer_.clear();
  }
  AtomicFile file_;
  std::vector<char> buffer_;
};

class CacheWriter {
 public:
  CacheWriter(const Path& stem, int token_bytes)
      : stem_(stem), tokens_(stem.string() + ".tokens"), offsets_(stem.string() + ".offsets") {
    footer_.token_bytes = token_bytes;
    offsets_.put(int64_t{0});
  }

  void add(const Path& data, const Document& document) {
    if (footer_.num_documents == 0 && document.has_labels) labels_.emplace(stem_.string() + ".labels");
    require_labels_as_before(labels_.has_value(), document, data);
    for (const int32_t id : document.ids)
      footer_.token_bytes == 2 ? tokens_.put(static_cast<uint16_t>(id)) : tokens_.put(id);
    for (const int32_t label : document.labels) labels_->put(label);
    footer_.num_tokens += static_cast<int64_t>(document.ids.size());
    ++footer_.num_documents;
    offsets_.put(footer_.num_tokens);
  }

  // The token file is written last, because a cache is valid once its token file exists.
  CacheFooter commit() {
    footer_.has_labels = labels_.has_value();
    footer_.checksum = footer_.computed_checksum();
    if (labels_) labels_->commit();
    offsets_.commit();
    tokens_.put(footer_);
    tokens_.commit();
    return footer_;
  }

 private:
  Path stem_;
  BufferedFile tokens_, offsets_;
  std::optional<BufferedFile> labels_;
  CacheFooter footer_;
};

std::string cache_name(const Path& data, const Tokenizer* tokenizer, const TokenizationOptions& options) {
  const bool has_rows = is_json_rows(data) || is_parquet(data);
  const std::string settings =
      fmt::format(
          "{}{}{}", has_rows ? "rows" : text_documents_name(options.text_documents),
          options.add_special_tokens ? "" : "-plain",
          options.separator ? fmt::format("-{}{}", has_rows ? "end" : "sep", *options.separator) : "") +
      (options.broken_rows == BrokenRows::skip ? "-skip" : "") +
      (options.separator && !options.separates_ids ? "-text" : "") +
      (options.chat && has_rows ? (options.chat_labels ? "-chat" : "-chattext") + options.chat->fingerprint()
                                : "") +
      (options.encoding == TextEncoding::utf8 ? "" : std::string("-") + text_encoding_name(options.encoding));
  return fmt::format("{}-{}-{}-{}", data.stem().string(), data_fingerprint(data),
                     tokenizer ? tokenizer->fingerprint() : "ids", settings);
}

void build_cache(const Path& data, const Tokenizer* tokenizer, const TokenizationOptions& options,
                 const Path& stem, const DataMessages& messages) {
  if (messages) messages(fmt::format("tokenizing {}", data.string()));
  const auto start = std::chrono::steady_clock::now();
  const auto reader = open_documents(data, options);
  CacheWriter writer(stem, tokenizer && tokenizer->vocab_size() <= 65536 ? 2 : 4);
  const SkippedRows skipped = tokenize_documents(
      *reader, data, tokenizer, options, [&](const Document& document) { writer.add(data, document); });
  const CacheFooter footer = writer.commit();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (messages)
    messages(fmt::format("tokenized {}: {} documents, {} tokens in {:.1f} s", data.string(),
                         footer.num_documents, footer.num_tokens, seconds));
  if (messages && skipped.count > 0)
    messages(fmt::format("left out {} broken rows of {}; the first: {}", skipped.count, data.string(),
                         skipped.first));
}

}  // namespace

std::unique_ptr<TokenFile> open_or_build_cache(const Path& data, const Tokenizer* tokenizer,
                                               const TokenizationOptions& options, const Path& folder,
                                               const DataMessages& messages) {
  const Path stem = folder / cache_name(data, tokenizer, options);
  if (auto cache = TokenFile::open_cache(stem)) return cache;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail("cache", "cannot create the folder {}: {}", folder.string(), error.message());
  build_cache(data, tokenizer, options, stem, messages);
  auto cache = TokenFile::open_cache(stem);
  if (!cache) fail("cache", "{} was changed while it was written", stem.string());
  return cache;
}

std::string data_fingerprint(const Path& path) {
  RandomAccessFile file(path);
  if (file.size() <= kWholeFingerprint) return file_fingerprint(path);
  const int64_t changed = std::filesystem::last_write_time(path).time_since_epoch().count();
  const uint64_t size = file.size();
  uint64_t hash = fnv1a(bytes_of(changed));
  hash = fnv1a(bytes_of(size), hash);
  return fmt::format("{:016x}", sampled_hash(path, hash));
}

Path default_cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache) return Path(cache) / "galore";
  if (const char* home = std::getenv("HOME"); home && *home) return Path(home) / ".cache" / "galore";
  return Path(".cache") / "galore";
}

}  // namespace galore
