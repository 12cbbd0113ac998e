// The third stage of a tokenizer.json: the model turns a piece of text into ids.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/json_fields.h"
#include "tokenizer/vocabulary.h"

namespace galore {

// The lists of a "model". They are read apart from its other fields because they are too long for a general
// JSON tree.
struct ModelTables {
  std::vector<std::pair<std::string, int32_t>> vocab;
  std::vector<std::pair<std::string, double>> scored_vocab;  // Unigram
  std::vector<std::pair<std::string, std::string>> merges;   // BPE
};

class Model {
 public:
  virtual ~Model() = default;
  // Appends the ids of one piece of valid UTF-8. Several threads may call it at once.
  virtual void encode(std::string_view piece, std::vector<int32_t>& ids) const = 0;
  const Vocabulary& vocabulary() const { return vocabulary_; }
  virtual bool is_bpe() const { return false; }
  // Returns true when the ids of a text are the ids of its words, one after the other. A word reaches from a
  // run of `word_start` to the next such run. Long texts can then be encoded word by word.
  virtual bool words_are_independent(std::string_view /*word_start*/) const { return false; }

 protected:
  // Throws the Error for an unknown piece when the vocabulary has no unk_token.
  [[noreturn]] static void fail_unknown(std::string_view piece);

  Vocabulary vocabulary_;
};

// Makes the model that the "model" object of a tokenizer.json describes. `tables` holds its long lists. A
// file without "type" is recognized by its keys, as in the Python package. An unknown type is an Error that
// names it.
std::unique_ptr<Model> make_model(const nlohmann::json& json, const std::string& where,
                                  const ModelTables& tables);

}  // namespace galore
