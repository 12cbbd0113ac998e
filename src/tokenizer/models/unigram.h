#pragma once

#include <array>

#include "tokenizer/models/model.h"

namespace galore {

// Finds the path of tokens with the best sum of scores (SentencePiece's Unigram). A character that is no
// token gets a score below the worst. Neighbouring characters of this kind are joined and become bytes
// (byte_fallback) or one unknown token.
class UnigramModel : public Model {
 public:
  UnigramModel(const JsonFields& fields, const ModelTables& tables);
  void encode(std::string_view piece, std::vector<int32_t>& ids) const override;

 private:
  struct Node {
    double score = 0;
    int64_t begin = -1;
    int32_t id = -1;
  };
  // A node of a trie over bytes. Its children lie in a range of edges_ that is sorted by byte.
  struct TrieNode {
    uint32_t first_edge = 0;
    int32_t id = -1;
    uint16_t num_edges = 0;
  };
  struct Edge {
    uint8_t byte;
    uint32_t node;
  };

  void build_trie();
  uint32_t child(uint32_t node, uint8_t byte) const;  // 0: no such child
  void walk(std::string_view piece, std::vector<Node>& nodes) const;
  void append(std::string_view text, int32_t id, std::vector<int32_t>& ids) const;

  std::vector<double> scores_;
  std::vector<TrieNode> trie_;
  std::vector<Edge> edges_;
  std::array<uint32_t, 256> roots_{};  // children of the root by byte
  std::array<int32_t, 256> byte_ids_{};
  double unknown_score_ = 0;
  int32_t unknown_ = -1;
  bool byte_fallback_ = false;
};

}  // namespace galore
