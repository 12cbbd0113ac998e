// The second stage of a tokenizer.json: the text is cut into pieces, each of which the model encodes by
// itself.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace galore {

struct TextPiece {
  std::string_view text;  // valid UTF-8, until the call that was handed it returns
  // So many of its first bytes came from the first character of the input, which may have become several:
  // Metaspace's "first" asks whether there are any.
  size_t origin_bytes = 0;

  TextPiece part(size_t begin, size_t end) const {
    return {text.substr(begin, end - begin), origin_bytes > begin ? origin_bytes - begin : 0};
  }
};

// Takes pieces one after the other, so that no list of them is ever made.
class PieceSink {
 public:
  virtual ~PieceSink() = default;
  virtual void take(const TextPiece& piece) = 0;
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Hands the pieces of `piece` to the sink, in order; empty ones are left out. May be called from several
  // threads.
  virtual void split(const TextPiece& piece, PieceSink& sink) const = 0;
  // Asks the last stage to hand out plain bytes where it would write each as a visible character (ByteLevel);
  // true where that is so from now on, and the caller writes the characters. Known words then need no
  // rewriting.
  virtual bool leave_bytes_plain() { return false; }
};

// Of the "pre_tokenizer" of a tokenizer.json; an unknown type is an Error that names it.
std::unique_ptr<PreTokenizer> make_pre_tokenizer(const nlohmann::json& json, const std::string& where);

}  // namespace galore
