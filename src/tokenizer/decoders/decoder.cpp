#include "tokenizer/decoders/decoder.h"

#include "tokenizer/decoders/bytes.h"
#include "tokenizer/decoders/edits.h"
#include "tokenizer/decoders/words.h"

namespace galore {
namespace {

template <typename Kind>
std::unique_ptr<Decoder> of_fields(const JsonFields& fields) {
  return std::make_unique<Kind>(fields);
}
template <typename Kind>
std::unique_ptr<Decoder> plain(const JsonFields&) {
  return std::make_unique<Kind>();
}

constexpr ComponentKind<Decoder> kDecoders[] = {
    {"BPEDecoder", of_fields<BpeDecoder>},  {"ByteFallback", plain<ByteFallbackDecoder>},
    {"ByteLevel", plain<ByteLevelDecoder>}, {"CTC", of_fields<CtcDecoder>},
    {"Fuse", plain<FuseDecoder>},           {"Metaspace", of_fields<MetaspaceDecoder>},
    {"Replace", of_fields<ReplaceDecoder>}, {"Sequence", of_fields<DecoderSequence>},
    {"Strip", of_fields<StripDecoder>},     {"WordPiece", of_fields<WordPieceDecoder>},
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(const nlohmann::json& json, const std::string& where) {
  return make_component<Decoder>(kDecoders, json, where);
}

}  // namespace galore
