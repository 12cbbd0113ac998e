#include "tokenizer/decoders/words.h"

#include <algorithm>

#include "tokenizer/text_repair.h"
#include "tokenizer/unicode/code_points.h"

namespace galore {
namespace {

// Applies the cleanup of the Python package, which differs from clean_up_tokenization of transformers.
std::string cleaned_up(std::string text) {
  constexpr std::pair<const char*, const char*> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) text = replace_all(std::move(text), from, to);
  return text;
}

}  // namespace

MetaspaceDecoder::MetaspaceDecoder(const JsonFields& fields)
    : replacement_(to_utf8(fields.character("replacement"))),
      drops_first_(fields.flag("add_prefix_space", true) &&
                   fields.text("prepend_scheme", "always") != "never") {}

void MetaspaceDecoder::decode(std::vector<std::string>& tokens) const {
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = replace_all(std::move(tokens[i]), replacement_, i == 0 && drops_first_ ? "" : " ");
}

void WordPieceDecoder::decode(std::vector<std::string>& tokens) const {
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::string& token = tokens[i];
    if (i > 0) {
      if (token.starts_with(prefix_))
        token.erase(0, prefix_.size());
      else
        token = " " + token;
    }
    if (cleanup_) token = cleaned_up(std::move(token));
  }
}

void BpeDecoder::decode(std::vector<std::string>& tokens) const {
  for (size_t i = 0; i < tokens.size(); ++i)
    if (!suffix_.empty())
      tokens[i] = replace_all(std::move(tokens[i]), suffix_, i + 1 == tokens.size() ? "" : " ");
}

void CtcDecoder::decode(std::vector<std::string>& tokens) const {
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  std::vector<std::string> result;
  for (std::string& token : tokens) {
    std::string text = pad_token_.empty() ? token : replace_all(std::move(token), pad_token_, "");
    if (cleanup_ && !delimiter_.empty()) text = replace_all(cleaned_up(std::move(text)), delimiter_, " ");
    if (!text.empty()) result.push_back(std::move(text));
  }
  tokens = std::move(result);
}

}  // namespace galore
