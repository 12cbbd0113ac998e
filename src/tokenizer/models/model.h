// The third stage of a tokenizer.json: a piece of text becomes ids.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/json_fields.h"
#include "tokenizer/vocabulary.h"

namespace galore {

// The lists of a "model" that are too long for a general JSON tree, read apart.
struct ModelTables {
  std::vector<std::pair<std::string, int32_t>> vocab;
  std::vector<std::pair<std::string, double>> scored_vocab;  // Unigram
  std::vector<std::pair<std::string, std::string>> merges;   // BPE
};

class Model {
 public:
  virtual ~Model() = default;
  // Appends the ids of one piece of valid UTF-8. May be called from several threads at once.
  virtual void encode(std::string_view piece, std::vector<int32_t>& ids) const = 0;
  const Vocabulary& vocabulary() const { return vocabulary_; }
  // Whether the ids of a text are those of its words, each from a run of `word_start` to before the next:
  // then long texts need not be encoded in one piece.
  virtual bool words_are_independent(std::string_view /*word_start*/) const { return false; }

 protected:
  // An unknown piece where the file names no unk_token that the vocabulary has.
  [[noreturn]] static void fail_unknown(std::string_view piece);

  Vocabulary vocabulary_;
};

// Of the "model" of a tokenizer.json without its lists, which stand in `tables`. Files without "type" are
// told by their keys, as the Python package tells them. An unknown type is an Error that names it.
std::unique_ptr<Model> make_model(const nlohmann::json& json, const std::string& where,
                                  const ModelTables& tables);

}  // namespace galore
