#include "tokenizer/models/bpe.h"

#include <algorithm>
#include <queue>

#include "tokenizer/unicode/code_points.h"

namespace galore {
namespace {

// Up to this number of symbols a scan over all pairs is faster than a heap.
constexpr size_t kScannedSymbols = 32;

}  // namespace

BpeModel::BpeModel(const JsonFields& fields, const ModelTables& tables)
    : prefix_(fields.text("continuing_subword_prefix", "")),
      suffix_(fields.text("end_of_word_suffix", "")),
      names_unknown_(fields.find("unk_token") != nullptr),
      fuse_unknown_(fields.flag("fuse_unk", false)),
      byte_fallback_(fields.flag("byte_fallback", false)),
      ignore_merges_(fields.flag("ignore_merges", false)) {
  if (const auto* dropout = fields.find("dropout"); dropout && *dropout != 0)
    fields.refuse("dropout", "null: with dropout a text has no definite ids");
  vocabulary_.reserve(tables.vocab.size());
  for (const auto& [token, id] : tables.vocab) vocabulary_.add(token, id);
  if (const auto token = fields.optional_text("unk_token")) unknown_ = vocabulary_.id_of(*token);
  for (size_t byte = 0; byte < byte_ids_.size(); ++byte)
    byte_ids_[byte] = vocabulary_.id_of(fmt::format("<0x{:02X}>", byte));
  for (char32_t c = 0; c < character_ids_.size(); ++c) character_ids_[c] = vocabulary_.id_of(to_utf8(c));
  read_merges(fields, tables);
}

void BpeModel::read_merges(const JsonFields& fields, const ModelTables& tables) {
  merges_.reserve(tables.merges.size());
  const auto known = [&](const std::string& token, size_t rank) {
    const int32_t id = vocabulary_.id_of(token);
    if (id < 0) fail(fields.where(), "merges[{}]: the token '{}' is not in the vocabulary", rank, token);
    return id;
  };
  for (size_t rank = 0; rank < tables.merges.size(); ++rank) {
    const auto& [left, right] = tables.merges[rank];
    if (right.size() < prefix_.size()) fail(fields.where(), "merges[{}]: '{}' lacks its prefix", rank, right);
    const uint64_t pair =
        static_cast<uint64_t>(known(left, rank)) << 32 | static_cast<uint64_t>(known(right, rank));
    merges_[pair] = {static_cast<int32_t>(rank), known(left + right.substr(prefix_.size()), rank)};
  }
}

int32_t BpeModel::symbol_of(std::string_view character, bool first, bool last) const {
  if (prefix_.empty() && suffix_.empty()) {
    const char32_t c = first_code_point(character).value;
    return c < character_ids_.size() ? character_ids_[c] : vocabulary_.id_of(character);
  }
  return vocabulary_.id_of((first ? "" : prefix_) + std::string(character) + (last ? suffix_ : ""));
}

bool BpeModel::append_bytes(std::string_view character, std::vector<int32_t>& symbols) const {
  const auto known = [this](char byte) { return byte_ids_[static_cast<uint8_t>(byte)] >= 0; };
  if (!std::all_of(character.begin(), character.end(), known)) return false;
  for (const char byte : character) symbols.push_back(byte_ids_[static_cast<uint8_t>(byte)]);
  return true;
}

// Appends the ids of the characters. An unknown character is held back until a known one follows, so that
// neighbouring unknown characters can be joined. Characters that become bytes in between are appended before
// it, as in the Python package.
void BpeModel::append_characters(std::string_view piece, std::vector<int32_t>& symbols) const {
  bool holds_unknown = false;
  for_each_code_point(piece, [&](CodePoint c, size_t at) {
    const std::string_view character = piece.substr(at, c.bytes);
    const bool first = at == 0, last = at + c.bytes == piece.size();
    const int32_t id = symbol_of(character, first, last);
    if (id >= 0) {
      if (holds_unknown) symbols.push_back(unknown_);
      holds_unknown = false;
      return symbols.push_back(id);
    }
    if (byte_fallback_) {
      const std::string decorated = (first ? "" : prefix_) + std::string(character) + (last ? suffix_ : "");
      if (append_bytes(decorated, symbols)) return;
    }
    if (unknown_ < 0 && names_unknown_) fail_unknown(character);
    if (unknown_ < 0) return;
    if (holds_unknown && !fuse_unknown_) symbols.push_back(unknown_);
    holds_unknown = true;
  });
  if (holds_unknown) symbols.push_back(unknown_);
}

void BpeModel::encode(std::string_view piece, std::vector<int32_t>& ids) const {
  if (piece.empty()) return;
  if (ignore_merges_)
    if (const int32_t id = vocabulary_.id_of(piece); id >= 0) return ids.push_back(id);
  const size_t before = ids.size();
  append_characters(piece, ids);
  const std::span<int32_t> symbols(ids.data() + before, ids.size() - before);
  ids.resize(before + (symbols.size() <= kScannedSymbols ? merge_short(symbols) : merge_long(symbols)));
}

size_t BpeModel::merge_short(std::span<int32_t> symbols) const {
  size_t count = symbols.size();
  std::array<Merge, kScannedSymbols> pairs;
  for (size_t i = 0; i + 1 < count; ++i) pairs[i] = merge_of(symbols[i], symbols[i + 1]);
  while (count > 1) {
    size_t best = count;
    for (size_t i = 0; i + 1 < count; ++i)
      if (pairs[i].rank >= 0 && (best == count || pairs[i].rank < pairs[best].rank)) best = i;
    if (best == count) break;
    symbols[best] = pairs[best].id;
    for (size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      pairs[i] = pairs[i + 1];
    }
    --count;
    if (best > 0) pairs[best - 1] = merge_of(symbols[best - 1], symbols[best]);
    if (best + 1 < count) pairs[best] = merge_of(symbols[best], symbols[best + 1]);
  }
  return count;
}

// The symbols form a doubly linked list, and a heap holds the pairs by rank and place. A heap entry is out of
// date when its pair has changed since. The entry's id shows this, because a longer pair makes another token.
size_t BpeModel::merge_long(std::span<int32_t> symbols) const {
  struct Entry {
    int32_t rank, place, id;
    bool operator<(const Entry& other) const {  // reversed, because the queue puts the greatest first
      return rank != other.rank ? rank > other.rank : place > other.place;
    }
  };
  const auto count = static_cast<int32_t>(symbols.size());
  std::vector<int32_t> next(symbols.size()), previous(symbols.size());
  std::vector<bool> gone(symbols.size());
  std::vector<Entry> entries;
  const auto at = [&](int32_t i) -> int32_t& { return symbols[static_cast<size_t>(i)]; };
  for (int32_t i = 0; i < count; ++i) {
    next[static_cast<size_t>(i)] = i + 1;
    previous[static_cast<size_t>(i)] = i - 1;
    if (i + 1 == count) continue;
    if (const Merge merge = merge_of(at(i), at(i + 1)); merge.rank >= 0)
      entries.push_back({merge.rank, i, merge.id});
  }
  std::priority_queue<Entry> queue(std::less<Entry>{}, std::move(entries));
  const auto offer = [&](int32_t left, int32_t right) {
    if (left < 0 || right >= count) return;
    if (const Merge merge = merge_of(at(left), at(right)); merge.rank >= 0)
      queue.push({merge.rank, left, merge.id});
  };
  while (!queue.empty()) {
    const Entry top = queue.top();
    queue.pop();
    const auto left = static_cast<size_t>(top.place);
    const int32_t right = next[left];
    if (gone[left] || right >= count || merge_of(at(top.place), at(right)).id != top.id) continue;
    at(top.place) = top.id;
    gone[static_cast<size_t>(right)] = true;
    next[left] = next[static_cast<size_t>(right)];
    if (next[left] < count) previous[static_cast<size_t>(next[left])] = top.place;
    offer(previous[left], top.place);
    offer(top.place, next[left]);
  }
  size_t kept = 0;
  for (size_t i = 0; i < symbols.size(); ++i)
    if (!gone[i]) symbols[kept++] = symbols[i];
  return kept;
}

// Returns true when the word start is a token and no merge joins it to preceding text.
bool BpeModel::words_are_independent(std::string_view word_start) const {
  if (!prefix_.empty() || !suffix_.empty() || ignore_merges_ || vocabulary_.id_of(word_start) < 0)
    return false;
  return std::all_of(merges_.begin(), merges_.end(), [&](const auto& merge) {
    std::string_view token = *vocabulary_.token_of(merge.second.id);
    while (token.starts_with(word_start)) token.remove_prefix(word_start.size());
    return token.find(word_start) == std::string_view::npos;
  });
}

}  // namespace galore
