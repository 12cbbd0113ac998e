#include "tokenizer/sentencepiece_model.h"

#include <cmath>
#include <cstring>
#include <unordered_set>

#include "core/errors.h"

namespace galore {
namespace {

constexpr size_t kMaxPieces = 16u << 20;

// Reads the fields of a protocol buffer message one by one and checks every length against the bytes that are
// left.
class MessageReader {
 public:
  MessageReader(const std::string& where, std::string_view bytes) : where_(where), rest_(bytes) {}

  bool next() {
    if (rest_.empty()) return false;
    const uint64_t key = read_varint();
    field_ = static_cast<uint32_t>(key >> 3);
    wire_type_ = static_cast<uint32_t>(key & 7);
    if (field_ == 0) broken();
    if (wire_type_ == 0)
      number_ = read_varint();
    else if (wire_type_ == 1)
      bytes_ = take(8);
    else if (wire_type_ == 2)
      bytes_ = take(read_varint());
    else if (wire_type_ == 5)
      bytes_ = take(4);
    else
      broken();
    return true;
  }

  uint32_t field() const { return field_; }
  uint64_t number() const { return check(0), number_; }
  std::string_view bytes() const { return check(2), bytes_; }
  float real() const {
    check(5);
    float value = 0;
    std::memcpy(&value, bytes_.data(), sizeof value);
    return value;
  }
  [[noreturn]] void broken() const {
    fail(where_, "expected a SentencePiece model, the file is damaged or of another kind");
  }

 private:
  void check(uint32_t wire_type) const {
    if (wire_type_ != wire_type) broken();
  }
  std::string_view take(uint64_t count) {
    if (count > rest_.size()) broken();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  uint64_t read_varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    broken();
  }

  const std::string& where_;
  std::string_view rest_, bytes_;
  uint32_t field_ = 0, wire_type_ = 0;
  uint64_t number_ = 0;
};

Piece parse_piece(const std::string& where, std::string_view bytes) {
  Piece piece;
  MessageReader reader(where, bytes);
  while (reader.next()) {
    if (reader.field() == 1) piece.text = reader.bytes();
    if (reader.field() == 2) piece.score = reader.real();
    if (reader.field() == 3) {
      if (reader.number() < 1 || reader.number() > 6) reader.broken();
      piece.type = static_cast<PieceType>(reader.number());
    }
  }
  if (piece.text.empty() || !std::isfinite(piece.score)) reader.broken();
  return piece;
}

void parse_trainer(const std::string& where, std::string_view bytes, SentencePieceModel& model) {
  MessageReader reader(where, bytes);
  while (reader.next()) {
    if (reader.field() == 3) {
      if (reader.number() < 1 || reader.number() > 4) reader.broken();
      model.algorithm = static_cast<SentencePieceAlgorithm>(reader.number());
    }
    if (reader.field() == 24) model.whitespace_as_suffix = reader.number() != 0;
    if (reader.field() == 35) model.byte_fallback = reader.number() != 0;
  }
}

void parse_normalizer(const std::string& where, std::string_view bytes, SentencePieceModel& model) {
  MessageReader reader(where, bytes);
  while (reader.next()) {
    if (reader.field() == 2) model.character_map = reader.bytes();
    if (reader.field() == 3) model.add_dummy_prefix = reader.number() != 0;
    if (reader.field() == 4) model.remove_extra_whitespaces = reader.number() != 0;
    if (reader.field() == 5) model.escape_whitespaces = reader.number() != 0;
  }
}

// The table consists of its size, a double array of 4-byte units, and zero-terminated strings. The library
// follows offsets without checks, so every unit must lead into the array and every leaf into the strings.
bool character_map_is_sound(const std::string& map) {
  if (map.empty()) return true;
  uint32_t trie_bytes = 0;
  if (map.size() <= sizeof trie_bytes) return false;
  std::memcpy(&trie_bytes, map.data(), sizeof trie_bytes);
  if (trie_bytes % 4 != 0 || trie_bytes < 1024 || trie_bytes >= map.size() - sizeof trie_bytes) return false;
  const size_t num_units = trie_bytes / 4, strings = map.size() - sizeof trie_bytes - trie_bytes;
  if (map.back() != '\0') return false;
  for (size_t i = 0; i < num_units; ++i) {
    uint32_t unit = 0;
    std::memcpy(&unit, map.data() + sizeof trie_bytes + 4 * i, sizeof unit);
    const size_t offset = (unit >> 10) << ((unit & (1u << 9)) >> 6);
    if (unit & (1u << 31) ? (unit & 0x7fffffffu) >= strings : ((i ^ offset) | 255) >= num_units) return false;
  }
  return true;
}

void check_pieces(const std::string& where, const SentencePieceModel& model) {
  std::unordered_set<std::string_view> seen;
  size_t num_unknown = 0, num_bytes = 0;
  for (const Piece& piece : model.pieces) {
    if (!seen.insert(piece.text).second)
      fail(where, "expected different pieces, '{}' is there twice", piece.text);
    num_unknown += piece.type == PieceType::unknown;
    num_bytes += piece.type == PieceType::byte;
  }
  if (num_unknown != 1) fail(where, "expected one unknown piece, found {}", num_unknown);
  if (num_bytes != (model.byte_fallback ? 256u : 0u))
    fail(where, "expected {} byte pieces, found {}", model.byte_fallback ? 256 : 0, num_bytes);
}

}  // namespace

bool SentencePieceModel::words_are_independent() const {
  if (algorithm != SentencePieceAlgorithm::bpe || whitespace_as_suffix) return false;
  bool has_word_start = byte_fallback;
  for (const Piece& piece : pieces) {
    if (piece.type != PieceType::normal && piece.type != PieceType::user_defined) continue;
    has_word_start = has_word_start || piece.text == kWordStart;
    size_t start = 0;
    while (piece.text.compare(start, kWordStart.size(), kWordStart) == 0) start += kWordStart.size();
    if (piece.text.find(kWordStart, start) != std::string::npos) return false;
    if (piece.text.find(' ') != std::string::npos) return false;
  }
  return has_word_start;  // without a word start, unknown characters of neighbouring words would be joined
}

SentencePieceModel parse_sentencepiece_model(const std::string& where, std::string_view bytes) {
  SentencePieceModel model;
  MessageReader reader(where, bytes);
  bool has_trainer = false, has_normalizer = false;
  while (reader.next()) {
    if (reader.field() == 1) model.pieces.push_back(parse_piece(where, reader.bytes()));
    if (reader.field() == 2) parse_trainer(where, reader.bytes(), model), has_trainer = true;
    if (reader.field() == 3) parse_normalizer(where, reader.bytes(), model), has_normalizer = true;
    if (model.pieces.size() > kMaxPieces) fail(where, "expected at most {} pieces", kMaxPieces);
  }
  if (model.pieces.empty() || !has_trainer || !has_normalizer) reader.broken();
  if (!character_map_is_sound(model.character_map)) fail(where, "the normalization table is damaged");
  check_pieces(where, model);
  return model;
}

std::string with_dummy_prefix(std::string bytes, bool add_dummy_prefix) {
  // Field 3 (normalizer_spec) of length 2 holds field 3 (add_dummy_prefix) and its value.
  bytes += {'\x1a', '\x02', '\x18', add_dummy_prefix ? '\x01' : '\x00'};
  return bytes;
}

}  // namespace galore
