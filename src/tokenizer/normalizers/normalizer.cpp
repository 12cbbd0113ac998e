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

constexpr ComponentKind<Normalizer> kNormalizers[] = {
    {"BertNormalizer", ComponentKind<Normalizer>::of_fields<BertNormalizer>},
    {"ByteLevel", ComponentKind<Normalizer>::plain<ByteLevelNormalizer>},
    {"Lowercase", ComponentKind<Normalizer>::plain<LowercaseNormalizer>},
    {"NFC", unicode_form<NormalForm::nfc>},
    {"NFD", unicode_form<NormalForm::nfd>},
    {"NFKC", unicode_form<NormalForm::nfkc>},
    {"NFKD", unicode_form<NormalForm::nfkd>},
    {"Nmt", ComponentKind<Normalizer>::plain<NmtNormalizer>},
    {"Precompiled", ComponentKind<Normalizer>::of_fields<PrecompiledNormalizer>},
    {"Prepend", ComponentKind<Normalizer>::of_fields<PrependNormalizer>},
    {"Replace", ComponentKind<Normalizer>::of_fields<ReplaceNormalizer>},
    {"Sequence", ComponentKind<Normalizer>::of_fields<NormalizerSequence>},
    {"Strip", ComponentKind<Normalizer>::of_fields<StripNormalizer>},
    {"StripAccents", ComponentKind<Normalizer>::plain<StripAccentsNormalizer>},
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const nlohmann::json& json, const std::string& where) {
  return make_component<Normalizer>(kNormalizers, json, where);
}

}  // namespace galore
