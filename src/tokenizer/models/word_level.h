#pragma once

#include "tokenizer/models/model.h"

namespace galore {

// Looks up the whole piece: it is one token or unknown.
class WordLevelModel : public Model {
 public:
  WordLevelModel(const JsonFields& fields, const ModelTables& tables) {
    for (const auto& [token, id] : tables.vocab) vocabulary_.add(token, id);
    unknown_ = vocabulary_.id_of(fields.text("unk_token", "<unk>"));
  }
  void encode(std::string_view piece, std::vector<int32_t>& ids) const override {
    const int32_t id = vocabulary_.id_of(piece);
    if (id < 0 && unknown_ < 0) fail_unknown(piece);
    ids.push_back(id < 0 ? unknown_ : id);
  }

 private:
  int32_t unknown_ = -1;
};

}  // namespace galore
