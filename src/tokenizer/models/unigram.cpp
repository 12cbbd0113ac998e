#include "tokenizer/models/unigram.h"

#include <algorithm>
#include <limits>

#include "tokenizer/unicode/code_points.h"

namespace galore {
namespace {

constexpr double kUnknownPenalty = 10.0;  // K_UNK_PENALTY of SentencePiece

}  // namespace

UnigramModel::UnigramModel(const JsonFields& fields, const ModelTables& tables)
    : byte_fallback_(fields.flag("byte_fallback", false)) {
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [token, score] : tables.scored_vocab) {
    vocabulary_.add(token, static_cast<int32_t>(scores_.size()));
    scores_.push_back(score);
    least = std::min(least, score);
  }
  unknown_score_ = least - kUnknownPenalty;
  if (fields.find("unk_id")) unknown_ = static_cast<int32_t>(fields.integer("unk_id", 0));
  if (unknown_ >= static_cast<int32_t>(scores_.size())) fields.refuse("unk_id", "the index of a token");
  for (size_t byte = 0; byte < byte_ids_.size(); ++byte)
    byte_ids_[byte] = vocabulary_.id_of(fmt::format("<0x{:02X}>", byte));
  build_trie();
}

// Builds the trie level by level from the tokens sorted by bytes. A node covers a range of tokens with a
// common prefix; its children are the groups in this range with the same next byte.
void UnigramModel::build_trie() {
  std::vector<std::pair<std::string_view, int32_t>> tokens;
  for (int32_t id = 0; id <= vocabulary_.largest_id(); ++id) {
    const std::string_view token = *vocabulary_.token_of(id);
    if (!token.empty() && vocabulary_.id_of(token) == id) tokens.emplace_back(token, id);
  }
  std::sort(tokens.begin(), tokens.end());
  struct Range {
    size_t begin, end, depth;
  };
  std::vector<Range> ranges = {{0, tokens.size(), 0}};
  trie_.resize(1);
  for (size_t node = 0; node < ranges.size(); ++node) {
    auto [begin, end, depth] = ranges[node];
    if (begin < end && depth > 0 && tokens[begin].first.size() == depth)
      trie_[node].id = tokens[begin++].second;
    trie_[node].first_edge = static_cast<uint32_t>(edges_.size());
    while (begin < end) {
      const auto byte = static_cast<uint8_t>(tokens[begin].first[depth]);
      size_t stop = begin;
      while (stop < end && static_cast<uint8_t>(tokens[stop].first[depth]) == byte) ++stop;
      edges_.push_back({byte, static_cast<uint32_t>(ranges.size())});
      if (node == 0) roots_[byte] = static_cast<uint32_t>(ranges.size());
      ++trie_[node].num_edges;
      ranges.push_back({begin, stop, depth + 1});
      trie_.emplace_back();
      begin = stop;
    }
  }
}

uint32_t UnigramModel::child(uint32_t node, uint8_t byte) const {
  const TrieNode& from = trie_[node];
  const Edge* edges = edges_.data() + from.first_edge;
  size_t low = 0, high = from.num_edges;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (edges[middle].byte < byte)
      low = middle + 1;
    else
      high = middle;
  }
  return low < from.num_edges && edges[low].byte == byte ? edges[low].node : 0;
}

void UnigramModel::walk(std::string_view piece, std::vector<Node>& nodes) const {
  for (size_t begin = 0; begin < piece.size();) {
    const double until_here = nodes[begin].score;
    const auto offer = [&](size_t end, double score, int32_t id) {
      Node& node = nodes[end];
      if (node.begin >= 0 && score <= node.score) return;
      node = {score, static_cast<int64_t>(begin), id};
    };
    const size_t character = first_code_point(piece.substr(begin)).bytes;
    bool has_single = false;
    uint32_t at = roots_[static_cast<uint8_t>(piece[begin])];
    for (size_t end = begin + 1; at != 0; ++end) {
      if (const int32_t id = trie_[at].id; id >= 0) {
        offer(end, scores_[static_cast<size_t>(id)] + until_here, id);
        has_single = has_single || end - begin == character;
      }
      if (end == piece.size()) break;
      at = child(at, static_cast<uint8_t>(piece[end]));
    }
    if (!has_single) offer(begin + character, unknown_score_ + until_here, unknown_);
    begin += character;
  }
}

void UnigramModel::append(std::string_view text, int32_t id, std::vector<int32_t>& ids) const {
  // The joined text of unknown characters can be a token.
  if (id == unknown_) id = vocabulary_.id_of(text);
  if (id >= 0) return ids.push_back(id);
  const auto known = [this](char byte) { return byte_ids_[static_cast<uint8_t>(byte)] >= 0; };
  if (byte_fallback_ && std::all_of(text.begin(), text.end(), known)) {
    for (const char byte : text) ids.push_back(byte_ids_[static_cast<uint8_t>(byte)]);
    return;
  }
  if (unknown_ < 0) fail_unknown(text);
  ids.push_back(unknown_);
}

void UnigramModel::encode(std::string_view piece, std::vector<int32_t>& ids) const {
  if (piece.empty()) return;
  std::vector<Node> nodes(piece.size() + 1);
  walk(piece, nodes);
  struct Part {
    size_t begin, end;
    int32_t id;
  };
  std::vector<Part> parts;
  for (size_t end = piece.size(); end > 0;) {
    const Node& node = nodes[end];
    const auto begin = static_cast<size_t>(node.begin);
    if (node.id == unknown_ && !parts.empty() && parts.back().id == unknown_)
      parts.back().begin = begin;
    else
      parts.push_back({begin, end, node.id});
    end = begin;
  }
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    append(piece.substr(part->begin, part->end - part->begin), part->id, ids);
}

}  // namespace galore
