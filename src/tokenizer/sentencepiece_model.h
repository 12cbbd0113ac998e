// Reads and checks a SentencePiece model file before the library loads it.
//
// The file is a serialized protocol buffer (sentencepiece_model.proto of the library). The library trusts it:
// a file cut at a message boundary loads as a different model, and a damaged normalization table makes the
// library read out of bounds. So we read the fields that matter first and check them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/word_start.h"

namespace galore {

enum class PieceType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
enum class SentencePieceAlgorithm { unigram = 1, bpe = 2, word = 3, character = 4 };

struct Piece {
  std::string text;
  float score = 0;
  PieceType type = PieceType::normal;
};

struct SentencePieceModel {
  std::vector<Piece> pieces;
  SentencePieceAlgorithm algorithm = SentencePieceAlgorithm::unigram;
  bool byte_fallback = false;
  bool whitespace_as_suffix = false;
  std::string character_map;  // the library's compiled normalization table; empty for the identity
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;

  // Normalization only writes blanks as U+2581.
  bool identity_normalization() const {
    return character_map.empty() && !remove_extra_whitespaces && escape_whitespaces;
  }
  // No piece continues across the start of a word, so the byte pair encoding of a text is the encoding of its
  // words, one after the other.
  bool words_are_independent() const;
};

// Reads a model. `where` names the file in messages. Any input that is not a complete, consistent model is an
// Error.
SentencePieceModel parse_sentencepiece_model(const std::string& where, std::string_view bytes);

// Returns the model file with another add_dummy_prefix. It appends a message, and protocol buffers merge
// repeated messages.
std::string with_dummy_prefix(std::string bytes, bool add_dummy_prefix);

}  // namespace galore
