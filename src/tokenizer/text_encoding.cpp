#include "tokenizer/text_encoding.h"

#include <algorithm>
#include <array>

#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

constexpr size_t kBlock = 1 << 16;
constexpr std::array kEncodingNames = {"utf-8",     "utf-16",  "utf-16-le",
                                       "utf-16-be", "latin-1", "windows-1252"};
// The characters of the bytes 0x80 to 0x9f; 0 is undefined (Unicode's table CP1252.TXT).
constexpr std::array<uint16_t, 32> kWindows = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

void append_utf8(std::string& text, uint32_t c) {
  const auto byte = [&](uint32_t value) { text += static_cast<char>(value); };
  if (c < 0x80) return byte(c);
  if (c < 0x800) return byte(0xc0 | c >> 6), byte(0x80 | (c & 0x3f));
  if (c < 0x10000) return byte(0xe0 | c >> 12), byte(0x80 | (c >> 6 & 0x3f)), byte(0x80 | (c & 0x3f));
  byte(0xf0 | c >> 18), byte(0x80 | (c >> 12 & 0x3f)), byte(0x80 | (c >> 6 & 0x3f)), byte(0x80 | (c & 0x3f));
}

// Converts block by block. A seek is not possible, because offsets count bytes of UTF-8.
class Transcoded : public ByteStream {
 public:
  Transcoded(std::unique_ptr<ByteStream> bytes, TextEncoding encoding, const Path& path)
      : bytes_(std::move(bytes)), encoding_(encoding), path_(path) {}

  double share() const override { return bytes_->share(); }

  size_t read(char* destination, size_t most) override {
    while (position_ == text_.size() && !ended_) convert_block();
    const size_t count = std::min(most, text_.size() - position_);
    std::copy_n(text_.data() + position_, count, destination);
    position_ += count;
    return count;
  }

 private:
  void convert_block() {
    text_.clear(), position_ = 0;
    std::string block(kBlock, '\0');
    block.resize(bytes_->read(block.data(), block.size()));
    ended_ = block.empty();
    for (const char c : block) take(static_cast<unsigned char>(c));
    if (ended_ && (has_half_ || high_ != 0)) broken("the file ends inside a character");
  }

  void take(uint8_t byte) {
    ++offset_;
    if (encoding_ == TextEncoding::latin1) return append_utf8(text_, byte);
    if (encoding_ == TextEncoding::windows1252) {
      const uint32_t c = byte >= 0x80 && byte < 0xa0 ? kWindows[byte - 0x80] : byte;
      if (c == 0 && byte != 0) broken(fmt::format("byte {:#04x} stands for no character", byte));
      return append_utf8(text_, c);
    }
    if (std::exchange(has_half_, !has_half_))
      take_unit(encoding_ == TextEncoding::utf16_be ? half_ << 8 | byte : byte << 8 | half_);
    half_ = byte;
  }

  // The mark U+FEFF is passed on, and the reader of the text drops it.
  void take_unit(uint32_t unit) {
    if (offset_ == 2 && encoding_ == TextEncoding::utf16 && unit == 0xfffe) {
      encoding_ = TextEncoding::utf16_be;
      unit = 0xfeff;
    }
    const bool low = unit >= 0xdc00 && unit < 0xe000;
    if (low != (high_ != 0)) broken("half of a surrogate pair");
    if (unit >= 0xd800 && unit < 0xdc00) {
      high_ = unit;
    } else {
      append_utf8(text_, low ? 0x10000 + ((high_ - 0xd800) << 10) + (unit - 0xdc00) : unit);
      high_ = 0;
    }
  }

  [[noreturn]] void broken(const std::string& reason) const {
    fail(path_.string(), "at byte {}: {}; the text is not in encoding={}", offset_, reason,
         text_encoding_name(encoding_));
  }

  std::unique_ptr<ByteStream> bytes_;
  TextEncoding encoding_;
  Path path_;
  std::string text_;
  size_t position_ = 0;
  int64_t offset_ = 0;  // bytes taken
  uint32_t half_ = 0, high_ = 0;
  bool has_half_ = false, ended_ = false;
};

}  // namespace

std::vector<std::string> text_encoding_names() { return {kEncodingNames.begin(), kEncodingNames.end()}; }

TextEncoding text_encoding_from_name(const std::string& name) {
  for (size_t i = 0; i < kEncodingNames.size(); ++i)
    if (canonical_name(name) == canonical_name(kEncodingNames[i])) return static_cast<TextEncoding>(i);
  fail_usage("encoding", "expected utf-8, utf-16, utf-16-le, utf-16-be, latin-1 or windows-1252, given '{}'",
             name);
}

const char* text_encoding_name(TextEncoding encoding) {
  return kEncodingNames[static_cast<size_t>(encoding)];
}

std::unique_ptr<ByteStream> as_utf8(std::unique_ptr<ByteStream> bytes, TextEncoding encoding,
                                    const Path& path) {
  if (encoding == TextEncoding::utf8) return bytes;
  return std::make_unique<Transcoded>(std::move(bytes), encoding, path);
}

// Text without a mark shows by its zeros: in most languages, every second byte of blanks and line ends.
TextEncoding guessed_encoding(const std::string& beginning) {
  if (beginning.starts_with("\xff\xfe") || beginning.starts_with("\xfe\xff")) return TextEncoding::utf16;
  std::array<size_t, 2> zeros{};
  const size_t size = std::min<size_t>(beginning.size(), 4096) / 2 * 2;
  for (size_t i = 0; i < size; ++i) zeros[i % 2] += beginning[i] == '\0';
  const size_t many = size / 16;
  if (zeros[1] > many && zeros[0] * 8 < zeros[1]) return TextEncoding::utf16_le;
  if (zeros[0] > many && zeros[1] * 8 < zeros[0]) return TextEncoding::utf16_be;
  return TextEncoding::utf8;
}

}  // namespace galore
