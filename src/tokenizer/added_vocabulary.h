// Tokens that are found in the text before the model sees it ("added_tokens"): special ones and others.
//
// Those with normalized=false are cut out of the raw text; the stretches between them are normalized and
// searched for the rest. Leftmost first, and the longest of those that begin there.
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

// The texts to look for and their ids.
class PatternSet {
 public:
  struct Match {
    size_t begin = 0, end = 0;
    int32_t id = -1;
  };

  // The first of two equal texts stays.
  void add(const std::string& text, int32_t id);
  bool find(std::string_view text, size_t from, Match& match) const;

 private:
  tsl::robin_map<std::string_view, int32_t> ids_;
  std::deque<std::string> texts_;                 // what the keys point to
  std::array<std::vector<size_t>, 256> lengths_;  // by first byte, longest first
  std::array<bool, 256> starts_{};
};

class AddedVocabulary {
 public:
  // Ids follow the order of the calls, as in the Python package: those of the model where it has the token,
  // else the next free ones.
  void add(const std::vector<AddedEntry>& tokens, const Model& model);
  // To be called after the last add().
  void build(const Normalizer* normalizer);
  void set_encode_special_tokens(bool value) { encode_special_tokens_ = value; }

  struct Stretch {
    std::string_view text;
    size_t begin = 0;  // offset of the text
    int32_t id = -1;   // of an added token; -1: text
  };
  // Calls action(Stretch) for every token and every text between tokens.
  template <typename Action>
  void split(std::string_view text, bool normalized, Action action) const;

  std::optional<int32_t> id_of(const std::string& token) const;
  const AddedEntry* entry(int32_t id) const;
  bool is_special(const std::string& token) const { return special_set_.contains(token); }
  int32_t largest_id() const { return by_id_.empty() ? -1 : by_id_.rbegin()->first; }
  // By id.
  const std::map<int32_t, AddedEntry>& entries() const { return by_id_; }

 private:
  int32_t next_id(const Model& model) const;
  bool accepts(std::string_view text, const PatternSet::Match& match, size_t done, Stretch& token,
               size_t& end) const;

  std::vector<AddedEntry> special_, others_;  // in order; a token that was added again stands there again
  std::set<std::string> special_set_;
  std::map<std::string, int32_t> ids_;
  std::map<int32_t, AddedEntry> by_id_;
  PatternSet raw_, normalized_;
  bool encode_special_tokens_ = false;
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
