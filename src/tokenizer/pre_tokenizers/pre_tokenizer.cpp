#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

#include "tokenizer/pre_tokenizers/by_characters.h"
#include "tokenizer/pre_tokenizers/byte_level.h"
#include "tokenizer/pre_tokenizers/metaspace.h"

namespace galore {
namespace {

constexpr ComponentKind<PreTokenizer> kPreTokenizers[] = {
    {"BertPreTokenizer", ComponentKind<PreTokenizer>::plain<BertPreTokenizer>},
    {"ByteLevel", ComponentKind<PreTokenizer>::of_fields<ByteLevelPreTokenizer>},
    {"CharDelimiterSplit", ComponentKind<PreTokenizer>::of_fields<CharDelimiterPreTokenizer>},
    {"Digits", ComponentKind<PreTokenizer>::of_fields<DigitsPreTokenizer>},
    {"FixedLength", ComponentKind<PreTokenizer>::of_fields<FixedLengthPreTokenizer>},
    {"Metaspace", ComponentKind<PreTokenizer>::of_fields<MetaspacePreTokenizer>},
    {"Punctuation", ComponentKind<PreTokenizer>::of_fields<PunctuationPreTokenizer>},
    {"Sequence", ComponentKind<PreTokenizer>::of_fields<PreTokenizerSequence>},
    {"Split", ComponentKind<PreTokenizer>::of_fields<SplitPreTokenizer>},
    {"UnicodeScripts", ComponentKind<PreTokenizer>::plain<UnicodeScriptsPreTokenizer>},
    {"Whitespace", ComponentKind<PreTokenizer>::plain<WhitespacePreTokenizer>},
    {"WhitespaceSplit", ComponentKind<PreTokenizer>::plain<WhitespaceSplitPreTokenizer>},
};

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const nlohmann::json& json, const std::string& where) {
  return make_component<PreTokenizer>(kPreTokenizers, json, where);
}

}  // namespace galore
