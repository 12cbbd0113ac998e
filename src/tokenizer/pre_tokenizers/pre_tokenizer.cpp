#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

#include "tokenizer/pre_tokenizers/by_characters.h"
#include "tokenizer/pre_tokenizers/byte_level.h"
#include "tokenizer/pre_tokenizers/metaspace.h"

namespace galore {
namespace {

using Made = std::unique_ptr<PreTokenizer>;

template <typename Kind>
Made of_fields(const JsonFields& fields) {
  return std::make_unique<Kind>(fields);
}
template <typename Kind>
Made plain(const JsonFields&) {
  return std::make_unique<Kind>();
}

constexpr ComponentKind<PreTokenizer> kPreTokenizers[] = {
    {"BertPreTokenizer", plain<BertPreTokenizer>},
    {"ByteLevel", of_fields<ByteLevelPreTokenizer>},
    {"CharDelimiterSplit", of_fields<CharDelimiterPreTokenizer>},
    {"Digits", of_fields<DigitsPreTokenizer>},
    {"FixedLength", of_fields<FixedLengthPreTokenizer>},
    {"Metaspace", of_fields<MetaspacePreTokenizer>},
    {"Punctuation", of_fields<PunctuationPreTokenizer>},
    {"Sequence", of_fields<PreTokenizerSequence>},
    {"Split", of_fields<SplitPreTokenizer>},
    {"UnicodeScripts", plain<UnicodeScriptsPreTokenizer>},
    {"Whitespace", plain<WhitespacePreTokenizer>},
    {"WhitespaceSplit", plain<WhitespaceSplitPreTokenizer>},
};

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const nlohmann::json& json, const std::string& where) {
  return make_component<PreTokenizer>(kPreTokenizers, json, where);
}

}  // namespace galore
