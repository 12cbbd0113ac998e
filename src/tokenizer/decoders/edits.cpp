#include "tokenizer/decoders/edits.h"

#include <string_view>

#include "tokenizer/unicode/code_points.h"

namespace galore {

void FuseDecoder::decode(std::vector<std::string>& tokens) const {
  std::string all;
  for (const std::string& token : tokens) all += token;
  tokens = {std::move(all)};
}

StripDecoder::StripDecoder(const JsonFields& fields)
    : content_(to_utf8(fields.character("content"))),
      start_(fields.integer("start", 0)),
      stop_(fields.integer("stop", 0)) {}

void StripDecoder::decode(std::vector<std::string>& tokens) const {
  for (std::string& token : tokens) {
    std::string_view rest = token;
    for (int64_t i = 0; i < start_ && rest.starts_with(content_); ++i) rest.remove_prefix(content_.size());
    for (int64_t i = 0; i < stop_ && rest.ends_with(content_); ++i) rest.remove_suffix(content_.size());
    token = std::string(rest);
  }
}

void ReplaceDecoder::decode(std::vector<std::string>& tokens) const {
  NormalizedText text;
  for (std::string& token : tokens) {
    text.text = std::move(token);
    replace_.normalize(text);
    token = std::move(text.text);
  }
}

DecoderSequence::DecoderSequence(const JsonFields& fields) {
  const nlohmann::json& list = fields.array("decoders");
  for (size_t i = 0; i < list.size(); ++i)
    parts_.push_back(make_decoder(list[i], fields.place(fmt::format("decoders[{}]", i))));
}

}  // namespace galore
