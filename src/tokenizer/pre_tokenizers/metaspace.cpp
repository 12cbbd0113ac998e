#include "tokenizer/pre_tokenizers/metaspace.h"

#include "tokenizer/pre_tokenizers/delimiters.h"
#include "tokenizer/text_repair.h"

namespace galore {

MetaspacePreTokenizer::MetaspacePreTokenizer(const JsonFields& fields)
    : replacement_(to_utf8(fields.character("replacement"))),
      prepend_(prepend_scheme(fields)),
      split_(fields.flag("split", true)) {}

MetaspacePreTokenizer::Prepend MetaspacePreTokenizer::prepend_scheme(const JsonFields& fields) {
  // The old key has precedence, as in the Python package.
  if (fields.optional_flag("add_prefix_space") == false) {
    if (const auto scheme = fields.optional_text("prepend_scheme"); scheme && *scheme != "never")
      fail(fields.where(), "add_prefix_space: false contradicts prepend_scheme '{}'", *scheme);
    return Prepend::never;
  }
  const std::string scheme = fields.text("prepend_scheme", "always");
  if (scheme == "always") return Prepend::always;
  if (scheme == "first") return Prepend::first;
  if (scheme == "never") return Prepend::never;
  fields.refuse("prepend_scheme", "always, first or never");
}

void MetaspacePreTokenizer::split(const TextPiece& piece, PieceSink& sink) const {
  if (piece.text.empty()) return;
  std::string text;
  text.reserve(piece.text.size() + piece.text.size() / 2 + replacement_.size());
  const bool begins = piece.text.starts_with(replacement_) || piece.text[0] == ' ';
  size_t origin_bytes = piece.origin_bytes;
  if (!begins && (prepend_ == Prepend::always || (prepend_ == Prepend::first && piece.origin_bytes > 0)))
    text += replacement_;
  for (const char c : piece.text) {
    if (c == ' ')
      text += replacement_;
    else
      text += c;
    if (&c + 1 == piece.text.data() + piece.origin_bytes) origin_bytes = text.size();
  }
  const TextPiece whole{text, origin_bytes};
  if (!split_) return sink.take(whole);
  Delimiters delimiters(DelimiterBehavior::merged_with_next, whole, sink);
  size_t done = 0;
  for (size_t at = 0; (at = text.find(replacement_, done)) != std::string::npos;
       done = at + replacement_.size()) {
    if (done < at) delimiters.add(done, at, false);
    delimiters.add(at, at + replacement_.size(), true);
  }
  if (done < text.size()) delimiters.add(done, text.size(), false);
  delimiters.finish();
}

}  // namespace galore
