// The first stage of a tokenizer.json: it changes the text itself.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace galore {

struct NormalizedText {
  std::string text;
  // Whether the text still begins with the result of the input's first byte. Metaspace's "first" depends on
  // it.
  bool at_origin = true;
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // `text` is valid UTF-8 before and after. Several threads may call it at once.
  virtual void normalize(NormalizedText& text) const = 0;
};

// Makes the normalizer that the "normalizer" object of a tokenizer.json describes. An unknown type is an
// Error that names it.
std::unique_ptr<Normalizer> make_normalizer(const nlohmann::json& json, const std::string& where);

}  // namespace galore
