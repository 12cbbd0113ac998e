#include "tokenizer/regex/regex.h"

#include <gtest/gtest.h>

#include "core/errors.h"
#include "tokenizer/regex/translation.h"
#include "tokenizer/unicode/character_classes.h"
#include "tokenizer/unicode/code_points.h"

namespace galore {
namespace {

std::vector<std::string> matches(const std::string& pattern, const std::string& text) {
  const Regex regex(pattern, "test");
  std::vector<std::string> found;
  RegexMatches walk(regex, text);
  for (Regex::Match match; walk.next(match);)
    found.push_back(text.substr(match.begin, match.end - match.begin));
  return found;
}

using Texts = std::vector<std::string>;

TEST(Regex, TranslatesRubysSyntax) {
  EXPECT_EQ(matches(R"(\h+)", "xyz 09afg"), (Texts{"09af"}));  // hexadecimal, not blanks
  EXPECT_EQ(matches(R"([a-z&&[^aeiou]]+)", "abcide"), (Texts{"bc", "d"}));
  EXPECT_EQ(matches(R"([^a-z&&[^aeiou]]+)", "abcide"), (Texts{"a", "i", "e"}));
  EXPECT_EQ(matches(R"([[ab][cd]]+)", "xacbdy"), (Texts{"acbd"}));
  EXPECT_EQ(matches(R"([\P{L}a]+)", "ab1-ab"), (Texts{"a", "1-a"}));
  EXPECT_EQ(matches(R"([^\P{L}a]+)", "ab1-ab"), (Texts{"b", "b"}));
  EXPECT_EQ(matches(R"((?m:a.b))", "a\nb"), (Texts{"a\nb"}));  // m lets the dot match line ends
  EXPECT_EQ(matches(R"(^a$)", "a\na\nb"), (Texts{"a", "a"}));  // anchors match at lines
  EXPECT_EQ(matches(R"(\d{,2}x)", "123x"), (Texts{"23x"}));
  EXPECT_EQ(matches(R"(a{1,2}+a)", "aaaaa"), (Texts{"aaaaa"}));  // a repetition, not possessive
  EXPECT_EQ(matches(R"([]a]+)", "a]b"), (Texts{"a]"}));
  EXPECT_EQ(matches(R"(\bé\b)", "é aé"), (Texts{"é"}));
  EXPECT_EQ(matches(R"((?i:'s))", "'\u017f 's 'S"), (Texts{"'\u017f", "'s", "'S"}));
  EXPECT_EQ(matches(R"(x*)", "axb"), (Texts{"", "x", ""}));
}

// By default, PCRE2's \p{Han} includes script extensions such as closing marks and counting rods.
TEST(Regex, ScriptsAreWithoutExtensions) {
  EXPECT_EQ(matches(R"(\p{Han}+)", "\u4f60\u3006\u597d\U0001d363"), (Texts{"\u4f60", "\u597d"}));
  EXPECT_EQ(matches(R"(\p{Hiragana}+)", "\u3042\u30fc\u3042"), (Texts{"\u3042", "\u3042"}));
}

TEST(Regex, RefusesWhatItCannotTranslate) {
  for (const char* pattern : {"(a", "a)", "[a", R"(\p{Nope})", R"(\pL)", R"(\y)", "(?s:a)"})
    EXPECT_THROW(Regex(pattern, "test"), Error) << pattern;
}

TEST(Regex, ClassesAreThoseOfUnicode16) {
  const Regex space(R"(\s)", "test"), not_space(R"(\S)", "test"), letter(R"(\p{L})", "test"),
      other(R"([^\p{L}])", "test");
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const std::string text = to_utf8(c);
    Regex::Match match;
    ASSERT_EQ(space.find(text, 0, match), is_white_space(c)) << std::hex << static_cast<uint32_t>(c);
    ASSERT_NE(not_space.find(text, 0, match), is_white_space(c));
    ASSERT_NE(letter.find(text, 0, match), other.find(text, 0, match));
  }
  Regex::Match match;
  EXPECT_TRUE(letter.find(to_utf8(0x10d4a), 0, match)) << "a letter of Garay, from Unicode 16";
  EXPECT_TRUE(letter.find(to_utf8(0x31350), 0, match)) << "an ideograph from Unicode 15";
}

TEST(Regex, LongRunsDoNotOverflow) {
  const std::string text(1 << 20, ' ');
  EXPECT_EQ(matches(R"(\s*[\r\n]+|\s+(?!\S)|\s+)", text).size(), 1);
  std::string word(1 << 16, 'a');
  word.push_back('c');
  EXPECT_EQ(matches(R"((?:a|b)+c)", word).size(), 1);
}

}  // namespace
}  // namespace galore
