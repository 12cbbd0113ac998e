// Decoders that join tokens into bytes and read the bytes as UTF-8.
#pragma once

#include "tokenizer/decoders/decoder.h"

namespace galore {

// Turns the visible characters of byte-level tokens back into bytes. Each maximal invalid part of the UTF-8
// becomes one U+FFFD.
class ByteLevelDecoder : public TokenDecoder {
 public:
  void decode(std::vector<std::string>& tokens) const override;
};

// Turns runs of tokens like <0x0A> into bytes. A run that is not valid UTF-8 becomes one U+FFFD for each
// byte.
class ByteFallbackDecoder : public TokenDecoder {
 public:
  void decode(std::vector<std::string>& tokens) const override;
};

}  // namespace galore
