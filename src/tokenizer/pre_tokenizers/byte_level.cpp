#include "tokenizer/pre_tokenizers/byte_level.h"

#include <algorithm>

#include "tokenizer/byte_level_alphabet.h"
#include "tokenizer/pre_tokenizers/delimiters.h"

namespace galore {
namespace {

constexpr const char* kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

class VisibleBytes : public PieceSink {
 public:
  explicit VisibleBytes(PieceSink& sink) : sink_(sink) {}
  void take(const TextPiece& piece) override {
    visible_.clear();
    append_byte_level(visible_, piece.text.substr(0, piece.origin_bytes));
    const size_t origin_bytes = visible_.size();
    append_byte_level(visible_, piece.text.substr(std::min(piece.origin_bytes, piece.text.size())));
    sink_.take({visible_, origin_bytes});
  }

 private:
  PieceSink& sink_;
  std::string visible_;
};

}  // namespace

ByteLevelPreTokenizer::ByteLevelPreTokenizer(const JsonFields& fields)
    : add_prefix_space_(fields.flag("add_prefix_space", true)),
      use_regex_(fields.flag("use_regex", true)),
      pattern_(kGpt2Pattern, fields.where()) {}

void ByteLevelPreTokenizer::split(const TextPiece& piece, PieceSink& sink) const {
  if (plain_) return split_plain(piece, sink);
  VisibleBytes visible(sink);
  split_plain(piece, visible);
}

void ByteLevelPreTokenizer::split_plain(const TextPiece& piece, PieceSink& sink) const {
  if (piece.text.empty()) return;
  if (add_prefix_space_ && piece.text[0] != ' ') {
    const std::string prefixed = " " + std::string(piece.text);
    const TextPiece longer{prefixed, piece.origin_bytes > 0 ? piece.origin_bytes + 1 : 0};
    return use_regex_ ? split_at_regex(longer, pattern_, false, DelimiterBehavior::isolated, sink)
                      : sink.take(longer);
  }
  if (use_regex_) return split_at_regex(piece, pattern_, false, DelimiterBehavior::isolated, sink);
  sink.take(piece);
}

}  // namespace galore
