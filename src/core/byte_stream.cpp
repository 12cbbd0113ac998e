#include "core/byte_stream.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>

#include "core/errors.h"

namespace galore {
namespace {

constexpr size_t kBlockBytes = 1 << 18;

class PlainBytes : public ByteStream {
 public:
  explicit PlainBytes(const Path& path) : file_(path) {}

  size_t read(char* destination, size_t most) override {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(most, file_.size() - offset_));
    file_.read(offset_, destination, count);
    offset_ += count;
    return count;
  }
  bool seek(uint64_t offset) override {
    if (offset > file_.size())
      fail(path().string(), "expected at least {} bytes, the file has {}", offset, file_.size());
    offset_ = offset;
    return true;
  }
  double share() const override {
    return file_.size() == 0 ? 1 : static_cast<double>(offset_) / static_cast<double>(file_.size());
  }
  const Path& path() const { return file_.path(); }

 private:
  RandomAccessFile file_;
  uint64_t offset_ = 0;
};

// Reads a compressed file block by block.
class Compressed : public ByteStream {
 public:
  Compressed(const Path& path, const char* kind) : source_(path), kind_(kind), block_(kBlockBytes, '\0') {}

  double share() const override { return source_.share(); }

 protected:
  // Returns false at the end of the file.
  bool fill() {
    if (position_ < size_) return true;
    position_ = 0;
    size_ = source_.read(block_.data(), block_.size());
    return size_ > 0;
  }
  [[noreturn]] void damaged(const std::string& reason) const {
    fail(source_.path().string(), "the {} data are damaged: {}", kind_, reason);
  }
  [[noreturn]] void unfinished() const { damaged("they end too early"); }

  PlainBytes source_;
  const char* kind_;
  std::string block_;
  size_t position_ = 0, size_ = 0;
  bool inside_ = false;  // a member or frame has begun but not ended
};

class GzipBytes : public Compressed {
 public:
  explicit GzipBytes(const Path& path) : Compressed(path, "gzip") {
    constexpr int kGzipAlone = 15 + 16;
    if (inflateInit2(&stream_, kGzipAlone) != Z_OK) fail("zlib", "cannot begin to decompress");
  }
  ~GzipBytes() override { inflateEnd(&stream_); }
  GzipBytes(const GzipBytes&) = delete;
  GzipBytes& operator=(const GzipBytes&) = delete;

  size_t read(char* destination, size_t most) override {
    stream_.next_out = reinterpret_cast<Bytef*>(destination);
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(most, 1u << 30));
    const size_t wanted = stream_.avail_out;
    while (stream_.avail_out == wanted) {
      if (!fill()) {
        if (inside_) unfinished();
        return 0;
      }
      step();
    }
    return wanted - stream_.avail_out;
  }

 private:
  void step() {
    if (!inside_ && inflateReset(&stream_) != Z_OK) damaged("cannot begin");
    inside_ = true;
    stream_.next_in = reinterpret_cast<Bytef*>(block_.data() + position_);
    stream_.avail_in = static_cast<uInt>(size_ - position_);
    const int status = inflate(&stream_, Z_NO_FLUSH);
    position_ = size_ - stream_.avail_in;
    if (status == Z_STREAM_END) {
      inside_ = false;
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      damaged(stream_.msg ? stream_.msg : "unknown fault");
    }
  }

  z_stream stream_{};
};

class ZstdBytes : public Compressed {
 public:
  explicit ZstdBytes(const Path& path) : Compressed(path, "zstd"), stream_(ZSTD_createDStream()) {
    if (!stream_) fail("zstd", "cannot begin to decompress");
  }
  ~ZstdBytes() override { ZSTD_freeDStream(stream_); }
  ZstdBytes(const ZstdBytes&) = delete;
  ZstdBytes& operator=(const ZstdBytes&) = delete;

  size_t read(char* destination, size_t most) override {
    ZSTD_outBuffer out{destination, most, 0};
    while (out.pos == 0 && most > 0) {
      // A frame can hold back output after all of its input has been read.
      if (!fill() && !inside_) return 0;
      const bool ended = position_ == size_;
      ZSTD_inBuffer in{block_.data(), size_, position_};
      const size_t status = ZSTD_decompressStream(stream_, &out, &in);
      if (ZSTD_isError(status)) damaged(ZSTD_getErrorName(status));
      position_ = in.pos;
      inside_ = status != 0;
      if (ended && inside_ && out.pos == 0) unfinished();
    }
    return out.pos;
  }

 private:
  ZSTD_DStream* stream_;
};

}  // namespace

std::unique_ptr<ByteStream> open_bytes(const Path& path) {
  if (path.extension() == ".gz") return std::make_unique<GzipBytes>(path);
  if (path.extension() == ".zst") return std::make_unique<ZstdBytes>(path);
  return std::make_unique<PlainBytes>(path);
}

Path without_compression(const Path& path) {
  const bool compressed = path.extension() == ".gz" || path.extension() == ".zst";
  return compressed ? Path(path).replace_extension() : path;
}

}  // namespace galore
