#include "tokenizer/unicode/character_classes.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "tokenizer/unicode/code_points.h"

namespace galore {
namespace {

using unicode_tables::CodePointRange;

std::unordered_map<char32_t, char32_t> lowercase_map() {
  std::unordered_map<char32_t, char32_t> map;
  for (const auto& run : unicode_tables::lowercase())
    for (char32_t c = run.first; c <= run.last; c += static_cast<char32_t>(run.step))
      map.emplace(c, static_cast<char32_t>(static_cast<int>(c) + run.distance));
  return map;
}

}  // namespace

CodePointSet::CodePointSet(std::span<const CodePointRange> ranges) {
  for (const CodePointRange& range : ranges) {
    for (char32_t c = range.first; c <= range.last && c < kBits; ++c)
      bits_[c >> 6] |= uint64_t{1} << (c & 63);
    if (range.last >= kBits) beyond_.push_back(range);
  }
}

bool CodePointSet::searched(char32_t c) const {
  const auto after =
      std::upper_bound(beyond_.begin(), beyond_.end(), c,
                       [](char32_t point, const CodePointRange& r) { return point < r.first; });
  return after != beyond_.begin() && c <= std::prev(after)->last;
}

#define GALORE_CHARACTER_CLASS(question, table)             \
  bool question(char32_t c) {                               \
    static const CodePointSet set(unicode_tables::table()); \
    return set.contains(c);                                 \
  }

GALORE_CHARACTER_CLASS(is_white_space, white_space)
GALORE_CHARACTER_CLASS(is_rust_word, rust_word)
GALORE_CHARACTER_CLASS(is_numeric, numeric)
GALORE_CHARACTER_CLASS(is_punctuation, punctuation)
GALORE_CHARACTER_CLASS(is_removed_by_bert, bert_removed)
GALORE_CHARACTER_CLASS(is_nonspacing_mark, nonspacing_mark)
GALORE_CHARACTER_CLASS(is_combining_mark, combining_mark)
GALORE_CHARACTER_CLASS(is_removed_by_nmt, nmt_removed)
GALORE_CHARACTER_CLASS(is_space_for_nmt, nmt_space)
GALORE_CHARACTER_CLASS(is_inert_in_normal_forms, inert_in_normal_forms)

#undef GALORE_CHARACTER_CLASS

bool is_chinese(char32_t c) {
  constexpr CodePointRange kBlocks[] = {{0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},
                                        {0x20000, 0x2a6df}, {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f},
                                        {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f}};
  return c >= 0x3400 && std::any_of(std::begin(kBlocks), std::end(kBlocks), [c](const CodePointRange& block) {
           return c >= block.first && c <= block.last;
         });
}

int script_of(char32_t c) {
  const auto runs = unicode_tables::scripts();
  const auto after = std::upper_bound(
      runs.begin(), runs.end(), c,
      [](char32_t point, const unicode_tables::ScriptRun& run) { return point < run.first; });
  return after != runs.begin() && c <= std::prev(after)->last ? std::prev(after)->script : 1;
}

void append_lowercase(std::string& text, char32_t c) {
  if (c < 0x80) {
    text += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return;
  }
  if (c == 0x130) {  // the only character that has a lower case of two
    text += "i\xcc\x87";
    return;
  }
  static const std::unordered_map<char32_t, char32_t> map = lowercase_map();
  const auto found = map.find(c);
  append_utf8(text, found == map.end() ? c : found->second);
}

}  // namespace galore
