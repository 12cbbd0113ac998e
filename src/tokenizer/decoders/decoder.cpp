#include "tokenizer/decoders/decoder.h"

#include "tokenizer/decoders/bytes.h"
#include "tokenizer/decoders/edits.h"
#include "tokenizer/decoders/words.h"

namespace galore {
namespace {

constexpr ComponentKind<TokenDecoder> kDecoders[] = {
    {"BPEDecoder", ComponentKind<TokenDecoder>::of_fields<BpeDecoder>},
    {"ByteFallback", ComponentKind<TokenDecoder>::plain<ByteFallbackDecoder>},
    {"ByteLevel", ComponentKind<TokenDecoder>::plain<ByteLevelDecoder>},
    {"CTC", ComponentKind<TokenDecoder>::of_fields<CtcDecoder>},
    {"Fuse", ComponentKind<TokenDecoder>::plain<FuseDecoder>},
    {"Metaspace", ComponentKind<TokenDecoder>::of_fields<MetaspaceDecoder>},
    {"Replace", ComponentKind<TokenDecoder>::of_fields<ReplaceDecoder>},
    {"Sequence", ComponentKind<TokenDecoder>::of_fields<DecoderSequence>},
    {"Strip", ComponentKind<TokenDecoder>::of_fields<StripDecoder>},
    {"WordPiece", ComponentKind<TokenDecoder>::of_fields<WordPieceDecoder>},
};

}  // namespace

std::unique_ptr<TokenDecoder> make_decoder(const nlohmann::json& json, const std::string& where) {
  return make_component<TokenDecoder>(kDecoders, json, where);
}

}  // namespace galore
