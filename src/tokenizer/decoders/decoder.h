// The last stage of a tokenizer.json: tokens become text again.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace galore {

class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;
  // Changes the tokens (and possibly their number); joined they are the text.
  virtual void decode(std::vector<std::string>& tokens) const = 0;
};

// Of the "decoder" of a tokenizer.json; an unknown type is an Error that names it.
std::unique_ptr<TokenDecoder> make_decoder(const nlohmann::json& json, const std::string& where);

}  // namespace galore
