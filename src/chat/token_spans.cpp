#include "chat/token_spans.h"

#include <unordered_map>

#include "chat/jinja/python_text.h"
#include "tokenizer/unicode/code_points.h"

namespace galore {
namespace {

constexpr size_t kMostTokensOfACharacter = 16;

// Decodes tokens as they stand inside of a text, because some decoders change the start of a text.
class InnerDecoder {
 public:
  explicit InnerDecoder(const Tokenizer& tokenizer)
      : tokenizer_(tokenizer), lead_(tokenizer.encode("a", false)) {
    lead_bytes_ = tokenizer.decode(lead_, false).size();
  }
  const std::string& text_of(int32_t id) {
    const auto found = texts_.find(id);
    if (found != texts_.end()) return found->second;
    return texts_[id] = decoded(&id, &id + 1);
  }
  std::string decoded(const int32_t* begin, const int32_t* end) const {
    std::vector<int32_t> ids = lead_;
    ids.insert(ids.end(), begin, end);
    const std::string all = tokenizer_.decode(ids, false);
    return all.size() < lead_bytes_ ? "" : all.substr(lead_bytes_);
  }

 private:
  const Tokenizer& tokenizer_;
  std::vector<int32_t> lead_;
  size_t lead_bytes_ = 0;
  std::unordered_map<int32_t, std::string> texts_;
};

size_t end_of_space(std::string_view text, size_t at) {
  while (at < text.size()) {
    const CodePoint c = first_code_point(text.substr(at));
    if (!jinja::is_space(c.value)) break;
    at += c.bytes;
  }
  return at;
}

// Looks for the text of tokens at a place; a space before a word may be missing on either side.
std::optional<TextSpan> find_here(std::string_view text, size_t at, std::string_view part) {
  const std::string_view word = part.starts_with(' ') ? part.substr(1) : part;
  if (text.substr(at).starts_with(part)) return TextSpan{at, at + part.size()};
  if (text.substr(at).starts_with(word)) return TextSpan{at, at + word.size()};
  const size_t next = end_of_space(text, at);
  if (next > at && !word.empty() && text.substr(next).starts_with(word))
    return TextSpan{next, next + word.size()};
  return std::nullopt;
}

}  // namespace

std::optional<std::vector<TextSpan>> token_spans(const Tokenizer& tokenizer, std::string_view text,
                                                 const std::vector<int32_t>& ids) {
  std::vector<TextSpan> spans;
  InnerDecoder decoder(tokenizer);
  size_t at = 0;
  for (size_t i = 0; i < ids.size();) {
    size_t count = 1;
    auto span = find_here(text, at, decoder.text_of(ids[i]));
    while (!span && count < kMostTokensOfACharacter && i + count < ids.size()) {
      ++count;
      span = find_here(text, at, decoder.decoded(&ids[i], &ids[i] + count));
    }
    if (!span) return std::nullopt;
    spans.insert(spans.end(), count, *span);
    at = span->end;
    i += count;
  }
  return spans;
}

}  // namespace galore
