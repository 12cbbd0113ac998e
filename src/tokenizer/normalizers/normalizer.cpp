#include "tokenizer/normalizers/normalizer.h"

#include "tokenizer/normalizers/bert.h"
#include "tokenizer/normalizers/character_filter.h"
#include "tokenizer/normalizers/edits.h"
#include "tokenizer/normalizers/precompiled.h"
#include "tokenizer/normalizers/unicode_forms.h"

namespace galore {
namespace {

using Made = std::unique_ptr<Normalizer>;

template <typename Kind>
Made of_fields(const JsonFields& fields) {
  return std::make_unique<Kind>(fields);
}
template <typename Kind>
Made plain(const JsonFields&) {
  return std::make_unique<Kind>();
}
template <NormalForm form>
Made unicode_form(const JsonFields&) {
  return std::make_unique<UnicodeFormNormalizer>(form);
}

constexpr ComponentKind<Normalizer> kNormalizers[] = {
    {"BertNormalizer", of_fields<BertNormalizer>},
    {"ByteLevel", plain<ByteLevelNormalizer>},
    {"Lowercase", plain<LowercaseNormalizer>},
    {"NFC", unicode_form<NormalForm::nfc>},
    {"NFD", unicode_form<NormalForm::nfd>},
    {"NFKC", unicode_form<NormalForm::nfkc>},
    {"NFKD", unicode_form<NormalForm::nfkd>},
    {"Nmt", plain<NmtNormalizer>},
    {"Precompiled", of_fields<PrecompiledNormalizer>},
    {"Prepend", of_fields<PrependNormalizer>},
    {"Replace", of_fields<ReplaceNormalizer>},
    {"Sequence", of_fields<NormalizerSequence>},
    {"Strip", of_fields<StripNormalizer>},
    {"StripAccents", plain<StripAccentsNormalizer>},
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const nlohmann::json& json, const std::string& where) {
  return make_component<Normalizer>(kNormalizers, json, where);
}

}  // namespace galore
