#include "tokenizer/special_tokens.h"

#include <algorithm>

namespace galore {
namespace {

constexpr std::string_view kBlanks = " \t\n\v\f\r";

}  // namespace

void SpecialTokens::add(int32_t id, const AddedToken& token) {
  if (token.content.empty() || !by_id_.emplace(id, token).second) return;
  const char first = token.content[0];
  auto& entries = by_first_byte_[static_cast<unsigned char>(first)];
  entries.push_back({token, id});
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.token.content.size() > b.token.content.size();
  });
  if (first_bytes_.find(first) == std::string::npos) first_bytes_ += first;
}

const AddedToken* SpecialTokens::find(int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

SpecialTokens::Match SpecialTokens::find_next(std::string_view text, size_t from) const {
  const size_t start = from;
  for (; (from = text.find_first_of(first_bytes_, from)) != std::string_view::npos; ++from) {
    for (const Entry& entry : by_first_byte_[static_cast<unsigned char>(text[from])]) {
      if (text.compare(from, entry.token.content.size(), entry.token.content) != 0) continue;
      Match match{from, from + entry.token.content.size(), entry.id};
      while (entry.token.strip_left && match.begin > start &&
             kBlanks.find(text[match.begin - 1]) != std::string_view::npos)
        --match.begin;
      if (entry.token.strip_right)
        match.end = std::min(text.find_first_not_of(kBlanks, match.end), text.size());
      return match;
    }
  }
  return {};
}

}  // namespace galore
