// Decoders that put bytes together again.
#pragma once

#include "tokenizer/decoders/decoder.h"

namespace galore {

// Visible characters back to bytes; what is no valid UTF-8 becomes U+FFFD, one for each maximal part.
class ByteLevelDecoder : public TokenDecoder {
 public:
  void decode(std::vector<std::string>& tokens) const override;
};

// Runs of tokens like <0x0A>; a run that is no valid UTF-8 becomes one U+FFFD for each byte.
class ByteFallbackDecoder : public TokenDecoder {
 public:
  void decode(std::vector<std::string>& tokens) const override;
};

}  // namespace galore
