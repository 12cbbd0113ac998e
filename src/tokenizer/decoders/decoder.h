// The last stage of a tokenizer.json: it turns tokens back into text.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace galore {

class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;
  // Changes the tokens, and possibly their number. The text is the concatenation of the result.
  virtual void decode(std::vector<std::string>& tokens) const = 0;
};

// Makes the decoder that the "decoder" object of a tokenizer.json describes. An unknown type is an Error that
// names it.
std::unique_ptr<TokenDecoder> make_decoder(const nlohmann::json& json, const std::string& where);

}  // namespace galore
