#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/regex/regex.h"

#include <pcre2.h>

#include "core/errors.h"
#include "tokenizer/regex/translation.h"
#include "tokenizer/unicode/code_points.h"

namespace galore {
namespace {

constexpr size_t kLargestJitStack = size_t{256} << 20;

struct FreeMatchData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct FreeStack {
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};

// The memory that a thread needs to match: one pair of offsets, and a large stack for the rare match that
// needs it.
struct MatchRoom {
  std::unique_ptr<pcre2_match_data, FreeMatchData> data{pcre2_match_data_create(1, nullptr)};
  std::unique_ptr<pcre2_jit_stack, FreeStack> stack;
  std::unique_ptr<pcre2_match_context, FreeContext> context;

  pcre2_match_context* with_large_stack() {
    if (!context) {
      stack.reset(pcre2_jit_stack_create(size_t{64} << 10, kLargestJitStack, nullptr));
      context.reset(pcre2_match_context_create(nullptr));
      pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    }
    return context.get();
  }
};

MatchRoom& match_room() {
  thread_local MatchRoom room;
  return room;
}

std::string message_of(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace

struct Regex::Compiled {
  pcre2_code* code = nullptr;
  bool jit = false;
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() { pcre2_code_free(code); }
};

Regex::Regex(const std::string& pattern, const std::string& where) : pattern_(pattern) {
  compile(pcre2_pattern(pattern, where), where);
}

Regex Regex::literal(std::string_view text, const std::string& where) {
  Regex regex;
  regex.pattern_ = text;
  std::string translated;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80 && !std::isalnum(static_cast<unsigned char>(c)) && c != 0)
      translated += '\\';
    translated += c;
  }
  regex.compile(translated, where);
  return regex;
}

void Regex::compile(const std::string& translated, const std::string& where) {
  int error = 0;
  PCRE2_SIZE at = 0;
  const auto compiled = std::make_shared<Compiled>();
  compiled->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                 PCRE2_UTF | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr);
  if (!compiled->code) fail(where, "the pattern '{}' is refused: {}", pattern_, message_of(error));
  compiled->jit = pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE) == 0;
  compiled_ = compiled;
}

bool Regex::find(std::string_view text, size_t from, Match& match) const {
  MatchRoom& room = match_room();
  const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  const auto run = [&](pcre2_match_context* context) {
    return compiled_->jit
               ? pcre2_jit_match(compiled_->code, subject, text.size(), from, 0, room.data.get(), context)
               : pcre2_match(compiled_->code, subject, text.size(), from, PCRE2_NO_UTF_CHECK, room.data.get(),
                             context);
  };
  int result = run(nullptr);
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(room.with_large_stack());
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result < 0) fail("tokenizer", "matching the pattern '{}' failed: {}", pattern_, message_of(result));
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(room.data.get());
  match = {offsets[0], offsets[1]};
  return true;
}

bool RegexMatches::next(Regex::Match& match) {
  while (from_ <= text_.size()) {
    if (!regex_.find(text_, from_, match)) break;
    const bool empty = match.begin == match.end;
    const bool repeated = empty && match.end == last_end_;
    from_ = match.end;
    if (empty) from_ += match.end < text_.size() ? first_code_point(text_.substr(match.end)).bytes : 1;
    if (repeated) continue;
    last_end_ = match.end;
    return true;
  }
  from_ = text_.size() + 1;
  return false;
}

}  // namespace galore
