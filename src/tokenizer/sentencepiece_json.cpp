#include "tokenizer/sentencepiece_json.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace galore {
namespace {

using OrderedJson = nlohmann::ordered_json;

// A pair of pieces and the piece that they make.
struct PieceMerge {
  size_t left, right, whole;
};

bool is_inside_character(std::string_view text, size_t at) {
  return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

// The library merges the pair that makes the piece with the highest score, while a tokenizer.json ranks
// pairs. Pairs that make one piece are ranked by the ids of their parts, as transformers ranks them.
std::vector<PieceMerge> ranked_merges(const std::vector<Piece>& pieces) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t id = 0; id < pieces.size(); ++id)
    if (pieces[id].type == PieceType::normal) ids.emplace(pieces[id].text, id);
  std::vector<PieceMerge> merges;
  for (const auto& [text, whole] : ids)
    for (size_t cut = 1; cut < text.size(); ++cut) {
      if (is_inside_character(text, cut)) continue;
      const auto left = ids.find(text.substr(0, cut)), right = ids.find(text.substr(cut));
      if (left != ids.end() && right != ids.end()) merges.push_back({left->second, right->second, whole});
    }
  std::sort(merges.begin(), merges.end(), [&](const PieceMerge& a, const PieceMerge& b) {
    const float score_a = pieces[a.whole].score, score_b = pieces[b.whole].score;
    if (score_a != score_b) return score_a > score_b;
    return std::tuple(a.whole, a.left, a.right) < std::tuple(b.whole, b.left, b.right);
  });
  return merges;
}

OrderedJson replacement(std::string_view from, std::string_view to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

}  // namespace

WrittenStages sentencepiece_stages(const SentencePieceModel& model) {
  std::vector<std::string> vocabulary;
  for (const Piece& piece : model.pieces) vocabulary.push_back(piece.text);
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const PieceMerge& merge : ranked_merges(model.pieces))
    pairs.emplace_back(vocabulary[merge.left], vocabulary[merge.right]);
  WrittenStages stages;
  const OrderedJson prefix = {{"type", "Prepend"}, {"prepend", kWordStart}};
  stages.normalizer = {{"type", "Sequence"},
                       {"normalizers", OrderedJson::array({prefix, replacement(" ", kWordStart)})}};
  const OrderedJson strip = {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}};
  stages.decoder = {
      {"type", "Sequence"},
      {"decoders",
       OrderedJson::array(
           {replacement(kWordStart, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}, strip})}};
  stages.model = bpe_json(vocabulary, pairs);
  stages.model["unk_token"] = vocabulary[0];
  stages.model["fuse_unk"] = stages.model["byte_fallback"] = true;
  return stages;
}

}  // namespace galore
