// The added tokens of a tokenizer ("added_tokens"): special and other tokens that are found in the text
// before the model encodes it.
//
// Tokens with normalized=false are cut out of the raw text first. The text between them is normalized and
// then searched for the other tokens. A search takes the leftmost match, and the longest token among those
// that begin there.
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/json_fields.h"
#include "tokenizer/models/model.h"
#include "tokenizer/normalizers/normalizer.h"

namespace galore {

struct AddedEntry {
  std::string content;
  bool single_word = false, strip_left = false, strip_right = false, normalized = true, special = false;
  bool operator==(const AddedEntry&) const = default;

  static AddedEntry read(const JsonFields& fields);
};

// Finds any of a set of texts in a longer text.
class PatternSet {
 public:
  struct Match {
    size_t begin = 0, end = 0;
    int32_t id = -1;
  };

  // Adds a text to search for. When a text is added twice, its first id stays.
  void add(const std::string& text, int32_t id);
  bool find(std::string_view text, size_t from, Match& match) const;

 private:
  tsl::robin_map<std::string_view, int32_t> ids_;
  std::deque<std::string> texts_;                 // owns the texts that the keys of ids_ view
  std::array<std::vector<size_t>, 256> lengths_;  // lengths of the texts by first byte, longest first
  std::array<bool, 256> starts_{};
};

class AddedVocabulary {
 public:
  // Adds tokens. Ids follow the order of the calls, as in the Python package: a token that the model has
  // keeps the model's id, and any other token gets the next free id.
  void add(const std::vector<AddedEntry>& tokens, const Model& model);
  // Prepares the search. Call it after the last add().
  void build(const Normalizer* normalizer);
  void set_encode_special_tokens(bool value) { encode_special_tokens_ = value; }
  // With true, a token with normalized=true is decoded to its normalized text, as by tokenizers 0.23. Earlier
  // versions give its text as it was added.
  void set_decode_normalized(bool value) { decode_normalized_ = value; }

  struct Stretch {
    std::string_view text;
    size_t begin = 0;  // the offset in the text that is split
    int32_t id = -1;   // the id of an added token, or -1 for text between tokens
  };
  // Calls action(Stretch) for every token and every text between tokens.
  template <typename Action>
  void split(std::string_view text, bool normalized, Action action) const;

  std::optional<int32_t> id_of(const std::string& token) const;
  // Returns the text that an added token is decoded to, or null for an id that no added token has.
  const std::string* decoded(int32_t id) const;
  bool is_special(const std::string& token) const { return special_set_.contains(token); }
  int32_t largest_id() const { return by_id_.empty() ? -1 : by_id_.rbegin()->first; }
  // Returns the added tokens by id.
  const std::map<int32_t, AddedEntry>& entries() const { return by_id_; }

 private:
  int32_t next_id(const Model& model) const;
  bool accepts(std::string_view text, const PatternSet::Match& match, size_t done, Stretch& token,
               size_t& end) const;

  // in the order of add(); a token that is added twice is listed twice
  std::vector<AddedEntry> special_, others_;
  std::set<std::string> special_set_;
  std::map<std::string, int32_t> ids_;
  std::map<int32_t, AddedEntry> by_id_;
  PatternSet raw_, normalized_;
  bool encode_special_tokens_ = false, decode_normalized_ = false;
  std::map<int32_t, std::string> normalized_texts_;  // where they differ and decode_normalized_ is set
};

template <typename Action>
void AddedVocabulary::split(std::string_view text, bool normalized, Action action) const {
  const PatternSet& patterns = normalized ? normalized_ : raw_;
  size_t done = 0;
  PatternSet::Match match;
  for (size_t from = 0; patterns.find(text, from, match); from = match.end) {
    Stretch token;
    size_t end = 0;
    if (!accepts(text, match, done, token, end)) continue;
    if (done < token.begin) action(Stretch{text.substr(done, token.begin - done), done, -1});
    action(token);
    done = end;
  }
  if (done < text.size()) action(Stretch{text.substr(done), done, -1});
}

}  // namespace galore
