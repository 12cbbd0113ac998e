// The rules that the tokenizer classes of transformers (4.57) add to a tokenizer.json.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace galore {

struct TokenizerClass {
  const char* name;  // without "Fast"
  // Special tokens that the class names when the configuration does not.
  std::vector<std::pair<const char*, const char*>> named_tokens;
  enum class Mask { plain, swallows_blanks, swallows_blanks_raw, swallows_blanks_special };
  Mask mask = Mask::plain;        // for a mask_token that is given as a text
  bool raw_named_tokens = false;  // named tokens given as texts are found in the raw text (Qwen2)
  // If set, the post-processor is built from add_bos_token and add_eos_token; the value is the default of
  // add_bos_token.
  std::optional<bool> bos_template;
  bool bert_normalizer = false;  // do_lower_case and similar settings replace the normalizer's
};

// Returns the class of a name like "LlamaTokenizerFast". A name outside the table gets a class without rules.
const TokenizerClass& tokenizer_class(std::string_view name);
// Returns the class that AutoTokenizer takes for a config.json's "model_type", or "" when the type is
// unknown.
std::string_view tokenizer_class_of_model(std::string_view model_type);

}  // namespace galore
