// The first stage of a tokenizer.json: changes of the text itself.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace galore {

struct NormalizedText {
  std::string text;
  // The text still begins with what came from the first byte of the input: Metaspace's "first" asks for it.
  bool at_origin = true;
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // `text` is valid UTF-8 before and after. May be called from several threads at once.
  virtual void normalize(NormalizedText& text) const = 0;
};

// Of the "normalizer" of a tokenizer.json; an unknown type is an Error that names it.
std::unique_ptr<Normalizer> make_normalizer(const nlohmann::json& json, const std::string& where);

}  // namespace galore
