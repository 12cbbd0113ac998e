#include "tokenizer/models/word_piece.h"

#include <algorithm>

#include "tokenizer/unicode/code_points.h"

namespace galore {

WordPieceModel::WordPieceModel(const JsonFields& fields, const ModelTables& tables)
    : prefix_(fields.text("continuing_subword_prefix", "##")),
      most_characters_(fields.integer("max_input_chars_per_word", 100)) {
  for (const auto& [token, id] : tables.vocab) {
    vocabulary_.add(token, id);
    longest_token_ = std::max(longest_token_, token.size());
  }
  unknown_ = vocabulary_.id_of(fields.text("unk_token", "[UNK]"));
}

void WordPieceModel::encode(std::string_view piece, std::vector<int32_t>& ids) const {
  const size_t before = ids.size();
  if (count_code_points(piece) <= most_characters_ && encode_known(piece, ids)) return;
  if (unknown_ < 0) fail_unknown(piece);
  ids.resize(before);
  ids.push_back(unknown_);
}

bool WordPieceModel::encode_known(std::string_view piece, std::vector<int32_t>& ids) const {
  std::string part = prefix_;
  for (size_t begin = 0; begin < piece.size();) {
    size_t length = std::min(piece.size() - begin, longest_token_);
    if (begin > 0) part.replace(prefix_.size(), std::string::npos, piece.substr(begin, length));
    int32_t id = -1;
    for (; length > 0; --length) {
      const bool inside =
          begin + length < piece.size() && (static_cast<unsigned char>(piece[begin + length]) & 0xc0) == 0x80;
      if (inside) continue;
      id = vocabulary_.id_of(begin == 0 ? piece.substr(0, length)
                                        : std::string_view(part).substr(0, prefix_.size() + length));
      if (id >= 0) break;
    }
    if (id < 0) return false;
    ids.push_back(id);
    begin += length;
  }
  return true;
}

}  // namespace galore
