#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

#include "tokenizer/pre_tokenizers/by_characters.h"
#include "tokenizer/pre_tokenizers/byte_level.h"
#include "tokenizer/pre_tokenizers/metaspace.h"

namespace galore {
namespace {

using Row = ComponentKind<PreTokenizer>;
constexpr Row kPreTokenizers[] = {
    {"BertPreTokenizer", Row::plain<BertPreTokenizer>},
    {"ByteLevel", Row::of_fields<ByteLevelPreTokenizer>},
    {"CharDelimiterSplit", Row::of_fields<CharDelimiterPreTokenizer>},
    {"Digits", Row::of_fields<DigitsPreTokenizer>},
    {"FixedLength", Row::of_fields<FixedLengthPreTokenizer>},
    {"Metaspace", Row::of_fields<MetaspacePreTokenizer>},
    {"Punctuation", Row::of_fields<PunctuationPreTokenizer>},
    {"Sequence", Row::of_fields<PreTokenizerSequence>},
    {"Split", Row::of_fields<SplitPreTokenizer>},
    {"UnicodeScripts", Row::plain<UnicodeScriptsPreTokenizer>},
    {"Whitespace", Row::plain<WhitespacePreTokenizer>},
    {"WhitespaceSplit", Row::plain<WhitespaceSplitPreTokenizer>},
};

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const nlohmann::json& json, const std::string& where) {
  return make_component<PreTokenizer>(kPreTokenizers, json, where);
}

}  // namespace galore
