#include "tokenizer/added_vocabulary.h"

#include <algorithm>

#include "tokenizer/unicode/character_classes.h"
#include "tokenizer/unicode/code_points.h"

namespace galore {

AddedEntry AddedEntry::read(const JsonFields& fields) {
  AddedEntry entry;
  entry.content = fields.text("content");
  entry.single_word = fields.flag("single_word", false);
  entry.strip_left = fields.flag("lstrip", false);
  entry.strip_right = fields.flag("rstrip", false);
  entry.special = fields.flag("special", false);
  entry.normalized = fields.flag("normalized", !entry.special);
  return entry;
}

void PatternSet::add(const std::string& text, int32_t id) {
  if (text.empty() || ids_.contains(text)) return;
  ids_.emplace(texts_.emplace_back(text), id);
  const auto first = static_cast<unsigned char>(text[0]);
  starts_[first] = true;
  std::vector<size_t>& lengths = lengths_[first];
  if (std::find(lengths.begin(), lengths.end(), text.size()) == lengths.end()) lengths.push_back(text.size());
  std::sort(lengths.rbegin(), lengths.rend());
}

bool PatternSet::find(std::string_view text, size_t from, Match& match) const {
  if (ids_.empty()) return false;
  for (size_t at = from; at < text.size(); ++at) {
    const auto first = static_cast<unsigned char>(text[at]);
    if (!starts_[first]) continue;
    for (const size_t length : lengths_[first]) {
      if (length > text.size() - at) continue;
      const auto found = ids_.find(text.substr(at, length));
      if (found == ids_.end()) continue;
      match = {at, at + length, found->second};
      return true;
    }
  }
  return false;
}

int32_t AddedVocabulary::next_id(const Model& model) const {
  const auto size = static_cast<int32_t>(model.vocabulary().size());
  int32_t largest = -1;
  for (const auto& [token, id] : ids_) largest = std::max(largest, id);
  return largest >= size ? largest + 1 : size;
}

std::optional<int32_t> AddedVocabulary::id_of(const std::string& token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const std::string* AddedVocabulary::decoded(int32_t id) const {
  if (const auto found = normalized_texts_.find(id); found != normalized_texts_.end()) return &found->second;
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second.content;
}

void AddedVocabulary::add(const std::vector<AddedEntry>& tokens, const Model& model) {
  for (const AddedEntry& token : tokens)
    if (token.special && !token.content.empty() && special_set_.insert(token.content).second)
      special_.push_back(token);
  int32_t next = next_id(model);
  for (const AddedEntry& token : tokens) {
    if (token.content.empty()) continue;
    int32_t id = model.vocabulary().id_of(token.content);
    if (const auto known = id_of(token.content)) id = *known;
    if (id >= 0 && by_id_.contains(id) && by_id_.at(id) == token) continue;
    if (id < 0) id = next++;
    next = std::max(next, id >= static_cast<int32_t>(model.vocabulary().size()) ? id + 1 : next);
    ids_[token.content] = id;
    by_id_[id] = token;
    if (!special_set_.contains(token.content)) others_.push_back(token);
  }
}

void AddedVocabulary::build(const Normalizer* normalizer) {
  for (const auto* list : {&special_, &others_})
    for (const AddedEntry& token : *list) {
      const auto id = id_of(token.content);
      if (!id) continue;
      if (!token.normalized) {
        raw_.add(token.content, *id);
        continue;
      }
      NormalizedText text{token.content};
      if (normalizer) normalizer->normalize(text);
      normalized_.add(text.text, *id);
      if (decode_normalized_ && text.text != token.content) normalized_texts_[*id] = text.text;
    }
}

bool AddedVocabulary::accepts(std::string_view text, const PatternSet::Match& match, size_t done,
                              Stretch& token, size_t& end) const {
  const AddedEntry& entry = by_id_.at(match.id);
  if (encode_special_tokens_ && special_set_.contains(entry.content)) return false;
  const std::string_view before = text.substr(0, match.begin), after = text.substr(match.end);
  if (entry.single_word && ((!before.empty() && is_rust_word(last_code_point(before).value)) ||
                            (!after.empty() && is_rust_word(first_code_point(after).value))))
    return false;
  size_t begin = match.begin;
  end = match.end;
  while (entry.strip_left && begin > done && is_white_space(last_code_point(text.substr(0, begin)).value))
    begin -= last_code_point(text.substr(0, begin)).bytes;
  while (entry.strip_right && end < text.size() && is_white_space(first_code_point(text.substr(end)).value))
    end += first_code_point(text.substr(end)).bytes;
  token = {text.substr(begin, end - begin), begin, match.id};
  return true;
}

}  // namespace galore
