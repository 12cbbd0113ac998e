#include "tokenizer/decoders/decoder.h"

#include "tokenizer/decoders/bytes.h"
#include "tokenizer/decoders/edits.h"
#include "tokenizer/decoders/words.h"

namespace galore {
namespace {

using Row = ComponentKind<TokenDecoder>;
constexpr Row kDecoders[] = {
    {"BPEDecoder", Row::of_fields<BpeDecoder>},  {"ByteFallback", Row::plain<ByteFallbackDecoder>},
    {"ByteLevel", Row::plain<ByteLevelDecoder>}, {"CTC", Row::of_fields<CtcDecoder>},
    {"Fuse", Row::plain<FuseDecoder>},           {"Metaspace", Row::of_fields<MetaspaceDecoder>},
    {"Replace", Row::of_fields<ReplaceDecoder>}, {"Sequence", Row::of_fields<DecoderSequence>},
    {"Strip", Row::of_fields<StripDecoder>},     {"WordPiece", Row::of_fields<WordPieceDecoder>},
};

}  // namespace

std::unique_ptr<TokenDecoder> make_decoder(const nlohmann::json& json, const std::string& where) {
  return make_component<TokenDecoder>(kDecoders, json, where);
}

}  // namespace galore
