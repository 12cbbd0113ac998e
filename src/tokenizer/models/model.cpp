#include "tokenizer/models/model.h"

#include "tokenizer/models/bpe.h"
#include "tokenizer/models/unigram.h"
#include "tokenizer/models/word_level.h"
#include "tokenizer/models/word_piece.h"

namespace galore {
namespace {

std::string model_type(const JsonFields& fields, const ModelTables& tables) {
  if (const auto type = fields.optional_text("type")) return *type;
  if (!tables.merges.empty() || fields.find("fuse_unk")) return "BPE";
  if (!tables.scored_vocab.empty()) return "Unigram";
  return fields.find("max_input_chars_per_word") ? "WordPiece" : "WordLevel";
}

}  // namespace

void Model::fail_unknown(std::string_view piece) {
  fail("tokenizer", "'{}' is not in the vocabulary, and the model has no unk_token in it",
       piece.substr(0, 80));
}

std::unique_ptr<Model> make_model(const nlohmann::json& json, const std::string& where,
                                  const ModelTables& tables) {
  const JsonFields fields(json, where);
  const std::string type = model_type(fields, tables);
  if (type == "BPE") return std::make_unique<BpeModel>(fields, tables);
  if (type == "Unigram") return std::make_unique<UnigramModel>(fields, tables);
  if (type == "WordPiece") return std::make_unique<WordPieceModel>(fields, tables);
  if (type == "WordLevel") return std::make_unique<WordLevelModel>(fields, tables);
  fail(where, "type: '{}' is not known; known: BPE, Unigram, WordLevel, WordPiece", type);
}

}  // namespace galore
