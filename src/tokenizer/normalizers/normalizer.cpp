#include "tokenizer/normalizers/normalizer.h"

#include "tokenizer/normalizers/bert.h"
#include "tokenizer/normalizers/character_filter.h"
#include "tokenizer/normalizers/edits.h"
#include "tokenizer/normalizers/precompiled.h"
#include "tokenizer/normalizers/unicode_forms.h"

namespace galore {
namespace {

template <NormalForm form>
std::unique_ptr<Normalizer> unicode_form(const JsonFields&) {
  return std::make_unique<UnicodeFormNormalizer>(form);
}

using Row = ComponentKind<Normalizer>;
constexpr Row kNormalizers[] = {
    {"BertNormalizer", Row::of_fields<BertNormalizer>},
    {"ByteLevel", Row::plain<ByteLevelNormalizer>},
    {"Lowercase", Row::plain<LowercaseNormalizer>},
    {"NFC", unicode_form<NormalForm::nfc>},
    {"NFD", unicode_form<NormalForm::nfd>},
    {"NFKC", unicode_form<NormalForm::nfkc>},
    {"NFKD", unicode_form<NormalForm::nfkd>},
    {"Nmt", Row::plain<NmtNormalizer>},
    {"Precompiled", Row::of_fields<PrecompiledNormalizer>},
    {"Prepend", Row::of_fields<PrependNormalizer>},
    {"Replace", Row::of_fields<ReplaceNormalizer>},
    {"Sequence", Row::of_fields<NormalizerSequence>},
    {"Strip", Row::of_fields<StripNormalizer>},
    {"StripAccents", Row::plain<StripAccentsNormalizer>},
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const nlohmann::json& json, const std::string& where) {
  return make_component<Normalizer>(kNormalizers, json, where);
}

}  // namespace galore
