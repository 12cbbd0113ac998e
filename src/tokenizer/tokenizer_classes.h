// What the tokenizer classes of transformers (4.57) add to a tokenizer.json.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace galore {

struct TokenizerClass {
  const char* name;  // without "Fast"
  // Special tokens that the class names where the configuration does not.
  std::vector<std::pair<const char*, const char*>> named_tokens;
  enum class Mask { plain, swallows_blanks, swallows_blanks_raw, swallows_blanks_special };
  Mask mask = Mask::plain;        // of a mask_token that is given as a text
  bool raw_named_tokens = false;  // named tokens given as texts are found in the raw text (Qwen2)
  // The post-processor is made anew from add_bos_token and add_eos_token; the first one's default.
  std::optional<bool> bos_template;
  bool bert_normalizer = false;  // do_lower_case and its like replace the normalizer's
};

// The class of a name like "LlamaTokenizerFast"; a name that is not in the table has no rules of its own.
const TokenizerClass& tokenizer_class(std::string_view name);
// The class that AutoTokenizer takes for a config.json's "model_type"; empty when unknown.
std::string_view tokenizer_class_of_model(std::string_view model_type);

}  // namespace galore
