// The second stage of a tokenizer.json: it splits the text into pieces, which the model encodes one by one.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace galore {

struct TextPiece {
  std::string_view text;  // valid UTF-8; the view is valid until the call that receives it returns
  // The number of leading bytes that came from the first character of the input; the normalizer may have made
  // several characters of it. Metaspace's "first" applies when it is not zero.
  size_t origin_bytes = 0;

  TextPiece part(size_t begin, size_t end) const {
    return {text.substr(begin, end - begin), origin_bytes > begin ? origin_bytes - begin : 0};
  }
};

// Takes pieces one by one, so that no list of pieces is needed.
class PieceSink {
 public:
  virtual ~PieceSink() = default;
  virtual void take(const TextPiece& piece) = 0;
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Passes the pieces of `piece` to the sink in order and leaves out empty ones. Several threads may call it
  // at once.
  virtual void split(const TextPiece& piece, PieceSink& sink) const = 0;
  // Asks for plain bytes where the last stage would write each byte as a visible character (ByteLevel).
  // Returns true when it does so from now on; the caller then writes the characters. This spares known words
  // the rewriting.
  virtual bool leave_bytes_plain() { return false; }
};

// Makes the pre-tokenizer that the "pre_tokenizer" object of a tokenizer.json describes. An unknown type is
// an Error that names it.
std::unique_ptr<PreTokenizer> make_pre_tokenizer(const nlohmann::json& json, const std::string& where);

}  // namespace galore
