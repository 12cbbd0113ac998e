// Regular expressions in Oniguruma's Ruby syntax, the syntax of tokenizer.json, compiled by PCRE2's JIT.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace galore {

class Regex {
 public:
  // Compiles a pattern. A pattern that cannot be translated or compiled is an Error at `where`.
  Regex(const std::string& pattern, const std::string& where);
  static Regex literal(std::string_view text, const std::string& where);

  struct Match {
    size_t begin = 0, end = 0;
  };
  // Finds the leftmost match at or after byte `from` of a valid UTF-8 text. Lookbehinds see the text before
  // `from`. Several threads may call it at once.
  bool find(std::string_view text, size_t from, Match& match) const;
  const std::string& pattern() const { return pattern_; }

 private:
  struct Compiled;
  Regex() = default;
  void compile(const std::string& translated, const std::string& where);

  std::string pattern_;
  std::shared_ptr<const Compiled> compiled_;
};

// Iterates over the matches as Oniguruma's find_iter does: an empty match directly after the last match does
// not count.
class RegexMatches {
 public:
  RegexMatches(const Regex& regex, std::string_view text) : regex_(regex), text_(text) {}
  bool next(Regex::Match& match);

 private:
  const Regex& regex_;
  std::string_view text_;
  size_t from_ = 0;
  size_t last_end_ = static_cast<size_t>(-1);
};

}  // namespace galore
