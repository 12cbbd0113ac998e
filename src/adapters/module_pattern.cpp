#define PCRE2_CODE_UNIT_WIDTH 8
#include "adapters/module_pattern.h"

#include <pcre2.h>

#include <algorithm>
#include <cctype>

#include "core/errors.h"

namespace galore {
namespace {

// A name of a module takes some hundred steps. The limit stops a pattern that would run for hours.
constexpr uint32_t kMostSteps = 1'000'000;

std::string message_of(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

// In Python {,n} repeats 0 to n times, which PCRE2 writes {0,n}; without the 0 it means these characters.
std::string with_lower_bounds(const std::string& pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    out += c;
    if (c == '\\' && i + 1 < pattern.size())
      out += pattern[++i];
    else if (c == '[' || c == ']')
      in_class = c == '[';
    else if (c == '{' && !in_class && i + 1 < pattern.size() && pattern[i + 1] == ',')
      out += '0';
  }
  return out;
}

PCRE2_SPTR units(const std::string& text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

}  // namespace

struct PythonPattern::Compiled {
  pcre2_code* code = nullptr;
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() { pcre2_code_free(code); }
};

PythonPattern::PythonPattern(const std::string& pattern, const std::string& where)
    : pattern_(pattern), where_(where) {
  const std::string translated = with_lower_bounds(pattern);
  int error = 0;
  PCRE2_SIZE at = 0;
  const auto compiled = std::make_shared<Compiled>();
  compiled->code =
      pcre2_compile(units(translated), translated.size(),
                    PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY, &error, &at, nullptr);
  if (!compiled->code)
    fail_usage(where, "'{}' is no regular expression: {} at character {}", pattern, message_of(error), at);
  compiled_ = compiled;
}

bool PythonPattern::run(const std::string& text, bool whole, const char* group, std::string* found) const {
  const std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> context(
      pcre2_match_context_create(nullptr), pcre2_match_context_free);
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> data(
      pcre2_match_data_create_from_pattern(compiled_->code, nullptr), pcre2_match_data_free);
  pcre2_set_match_limit(context.get(), kMostSteps);
  const uint32_t anchors = PCRE2_ANCHORED | (whole ? PCRE2_ENDANCHORED : 0);
  const int result =
      pcre2_match(compiled_->code, units(text), text.size(), 0, anchors, data.get(), context.get());
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result < 0)
    fail_usage(where_, "matching '{}' with {} does not end: {}", pattern_, text, message_of(result));
  if (!group) return true;
  PCRE2_UCHAR* copy = nullptr;
  PCRE2_SIZE length = 0;
  if (pcre2_substring_get_byname(data.get(), units(group), &copy, &length) != 0) return false;
  found->assign(reinterpret_cast<const char*>(copy), length);
  pcre2_substring_free(copy);
  return true;
}

bool PythonPattern::matches(const std::string& text) const {
  return run(text, /*whole=*/true, nullptr, nullptr);
}

std::optional<std::string> PythonPattern::group_at_start(const std::string& text,
                                                         const std::string& group) const {
  std::string found;
  if (!run(text, /*whole=*/false, group.c_str(), &found)) return std::nullopt;
  return found;
}

bool is_named_by(const std::string& name, const std::vector<std::string>& endings) {
  return std::any_of(endings.begin(), endings.end(), [&](const std::string& ending) {
    return name == ending || name.ends_with("." + ending);
  });
}

}  // namespace galore
