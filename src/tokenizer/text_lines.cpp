#include "tokenizer/text_lines.h"

#include <algorithm>

#include "core/errors.h"
#include "core/file_kinds.h"

namespace galore {
namespace {

constexpr size_t kBlockBytes = 1 << 17;

}  // namespace

TextLines::TextLines(const Path& path, size_t largest_piece, const TextPlace& begin, TextEncoding encoding)
    : path_(path),
      bytes_(as_utf8(open_bytes(path), encoding, path)),
      largest_piece_(largest_piece),
      line_ended_(!begin.inside_line),
      line_number_(begin.line) {
  if (begin.offset > 0) {
    go_to(begin.offset);
    return;
  }
  if (!fill()) return;
  if (const std::string pointer = lfs_pointer(block_); !pointer.empty()) fail(path_.string(), "{}", pointer);
  if (block_.starts_with("\xef\xbb\xbf")) position_ = 3;
  const TextEncoding guess = guessed_encoding(block_);
  if (encoding == TextEncoding::utf8 && guess != encoding)
    fail(path_.string(), "expected UTF-8, the file begins as UTF-16 does: give encoding={} or convert it",
         text_encoding_name(guess));
}

// Blocks have the same borders as without seeking, so share() gives the same values.
void TextLines::go_to(int64_t offset) {
  constexpr auto kBytes = static_cast<int64_t>(kBlockBytes);
  const int64_t whole = offset / kBytes * kBytes;
  if (bytes_->seek(static_cast<uint64_t>(whole))) block_begin_ = whole;
  while (block_begin_ + static_cast<int64_t>(block_.size()) < offset) {
    position_ = block_.size();
    if (!fill()) fail(path_.string(), "expected at least {} bytes of text, given {}", offset, block_begin_);
  }
  position_ = static_cast<size_t>(offset - block_begin_);
}

TextPlace TextLines::place() const {
  return {block_begin_ + static_cast<int64_t>(position_) - static_cast<int64_t>(kept_.size()), line_number_,
          !line_ended_};
}

bool TextLines::fill() {
  if (position_ < block_.size()) return true;
  block_begin_ += static_cast<int64_t>(block_.size());
  block_.resize(kBlockBytes);
  block_.resize(bytes_->read(block_.data(), kBlockBytes));
  position_ = 0;
  return !block_.empty();
}

void TextLines::cut_between_characters(std::string& piece) {
  size_t cut = piece.size();
  for (int i = 0; i < 3 && cut > 0 && (static_cast<unsigned char>(piece[cut - 1]) & 0xc0) == 0x80; ++i) --cut;
  if (cut > 1 && static_cast<unsigned char>(piece[cut - 1]) >= 0xc0) --cut;
  if (cut == 0 || static_cast<unsigned char>(piece[cut]) < 0xc0) cut = piece.size();
  kept_ = piece.substr(cut);
  piece.resize(cut);
}

bool TextLines::next(std::string& piece) {
  piece.swap(kept_);
  kept_.clear();
  if (piece.empty() && !fill()) return false;
  if (line_ended_) ++line_number_;
  line_ended_ = had_line_end_ = false;
  for (;;) {
    if (!fill()) {
      line_ended_ = true;
      return true;
    }
    const size_t end = block_.find('\n', position_);
    const size_t stop = std::min({end, block_.size(), position_ + largest_piece_ - piece.size()});
    piece.append(block_, position_, stop - position_);
    line_ended_ = had_line_end_ = stop == end;
    position_ = stop + (line_ended_ ? 1 : 0);
    // A full piece is extended until we know whether its line ends directly after it.
    if (line_ended_ || (piece.size() >= largest_piece_ && position_ < block_.size())) break;
  }
  if (!line_ended_) cut_between_characters(piece);
  if (had_line_end_ && !piece.empty() && piece.back() == '\r') piece.pop_back();
  return true;
}

}  // namespace galore
