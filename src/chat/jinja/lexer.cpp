#include "chat/jinja/lexer.h"

#include "chat/jinja/python_text.h"
#include "chat/jinja/string_literal.h"
#include "tokenizer/unicode/code_points.h"

namespace galore::jinja {
namespace {

constexpr std::string_view kSigns[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                       "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};

bool is_decimal(char c) { return c >= '0' && c <= '9'; }
bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Turns all line ends into "\n" and removes one at the end.
std::string with_plain_lines(std::string_view source) {
  std::string plain;
  for (size_t i = 0; i < source.size(); ++i) {
    const bool is_return = source[i] == '\r';
    if (is_return && i + 1 < source.size() && source[i + 1] == '\n') continue;
    plain += is_return ? '\n' : source[i];
  }
  if (plain.ends_with('\n')) plain.pop_back();
  return plain;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) read_data();
    add(TokenKind::end, "");
    return std::move(tokens_);
  }

 private:
  bool at(std::string_view text) const { return std::string_view(source_).substr(at_).starts_with(text); }
  char peek(size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }
  std::string_view rest() const { return std::string_view(source_).substr(at_); }

  void add(TokenKind kind, std::string value) { tokens_.push_back({kind, std::move(value), line_}); }
  void advance(size_t count) {
    for (const size_t end = at_ + count; at_ < end; ++at_) line_ += source_[at_] == '\n';
  }
  void skip_spaces() {
    while (at_ < source_.size()) {
      const CodePoint c = first_code_point(rest());
      if (!is_space(c.value)) return;
      advance(c.bytes);
    }
  }
  template <typename... Args>
  [[noreturn]] void broken(fmt::format_string<Args...> format, Args&&... args) const {
    throw Fault(fmt::format(format, std::forward<Args>(args)...), line_);
  }

  // Returns the start of the next tag, or the end of the source.
  size_t next_tag() const {
    size_t open = at_;
    while ((open = source_.find('{', open)) != std::string::npos) {
      const char kind = open + 1 < source_.size() ? source_[open + 1] : '\0';
      if (kind == '{' || kind == '%' || kind == '#') return open;
      ++open;
    }
    return source_.size();
  }

  // Reads text up to a tag, without the white space that the tag removes, and then the tag.
  void read_data() {
    const size_t tag = next_tag();
    std::string_view data = std::string_view(source_).substr(at_, tag - at_);
    if (tag < source_.size()) data = stripped(data, tag);
    if (!data.empty()) add(TokenKind::data, std::string(data));
    advance(tag - at_);
    if (at_ < source_.size()) read_tag();
    line_starting_ = at_ > 0 && source_[at_ - 1] == '\n';
  }

  std::string_view stripped(std::string_view data, size_t tag) const {
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    if (sign == '-') return strip(data, nullptr, Side::right);
    if (sign == '+' || source_[tag + 1] == '{') return data;
    const size_t line = data.rfind('\n') + 1;
    const bool begins_line = line > 0 || line_starting_;
    const bool is_blank = line < data.size() && strip(data.substr(line), nullptr, Side::left).empty();
    return begins_line && is_blank ? data.substr(0, line) : data;
  }

  void read_tag() {
    const char kind = peek(1);
    advance(2);
    if (peek() == '-' || peek() == '+') advance(1);
    if (kind == '#') return skip_comment();
    if (kind == '%' && read_raw()) return;
    add(kind == '{' ? TokenKind::variable_begin : TokenKind::block_begin, "");
    read_code(kind == '{' ? "}}" : "%}", kind == '%');
  }

  // Passes the end of a tag with its white space, if it stands here. With `trims`, the line end after it
  // goes.
  bool pass_end(std::string_view end, bool trims) {
    const bool minus = peek() == '-', plus = peek() == '+' && trims;
    if (!std::string_view(source_)
             .substr(std::min(source_.size(), at_ + (minus || plus ? 1 : 0)))
             .starts_with(end))
      return false;
    advance(end.size() + (minus || plus ? 1 : 0));
    if (minus) skip_spaces();
    if (!minus && !plus && trims && peek() == '\n') advance(1);
    return true;
  }

  void skip_comment() {
    const size_t end = source_.find("#}", at_);
    if (end == std::string::npos) broken("missing end of comment tag");
    const bool signed_end = end > at_ && (source_[end - 1] == '-' || source_[end - 1] == '+');
    advance(end - at_ - (signed_end ? 1 : 0));
    pass_end("#}", true);
  }

  // Reads {% raw %} ... {% endraw %}; returns false for any other tag.
  bool read_raw() {
    const size_t before = at_;
    const int line_before = line_;
    skip_spaces();
    if (at("raw")) {
      advance(3);
      skip_spaces();
      if (peek() == '-' || at("%}")) {
        const bool strips = peek() == '-';
        advance(strips ? 3 : 2);
        if (strips) skip_spaces();
        read_raw_text();
        return true;
      }
    }
    at_ = before, line_ = line_before;
    return false;
  }

  void read_raw_text() {
    const size_t begin = at_;
    line_starting_ = source_[begin - 1] == '\n';
    for (size_t tag = source_.find("{%", begin); tag != std::string::npos;
         tag = source_.find("{%", tag + 2)) {
      const std::string_view data = std::string_view(source_).substr(begin, tag - begin);
      const std::string_view kept = stripped(data, tag);
      advance(tag + 2 - at_);
      if (peek() == '-' || peek() == '+') advance(1);
      skip_spaces();
      if (!at("endraw")) continue;
      advance(6);
      skip_spaces();
      if (!pass_end("%}", true)) continue;
      if (!kept.empty()) add(TokenKind::data, std::string(kept));
      return;
    }
    broken("missing end of raw directive");
  }

  void read_code(std::string_view end, bool trims) {
    const int line = line_;
    for (int open = 0;;) {
      skip_spaces();
      if (at_ >= source_.size()) throw Fault(fmt::format("expected '{}'", end), line);
      if (open == 0 && pass_end(end, trims)) break;
      read_token(open);
    }
    add(trims ? TokenKind::block_end : TokenKind::variable_end, "");
  }

  void read_token(int& open) {
    const char c = peek();
    if (is_decimal(c)) return read_number();
    if (begins_name(c)) return read_name();
    if (c == '"' || c == '\'') return read_text(c);
    for (const std::string_view sign : kSigns) {
      if (!at(sign)) continue;
      open += sign == "(" || sign == "[" || sign == "{";
      open -= sign == ")" || sign == "]" || sign == "}";
      if (open < 0) broken("unexpected '{}'", sign);
      add(TokenKind::sign, std::string(sign));
      return advance(sign.size());
    }
    broken("unexpected char '{}'", rest().substr(0, first_code_point(rest()).bytes));
  }

  void read_name() {
    size_t length = 1;
    while (begins_name(peek(length)) || is_decimal(peek(length))) ++length;
    add(TokenKind::name, source_.substr(at_, length));
    advance(length);
  }

  size_t digits_from(size_t from) const {
    size_t end = from;
    while (is_decimal(peek(end)) || (peek(end) == '_' && end > from && is_decimal(peek(end + 1)))) ++end;
    return end;
  }

  void read_number() {
    size_t end = digits_from(0);
    bool is_real = false;
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
    if (peek() == '0' && std::string_view("bBoOxX").find(peek(1)) != std::string_view::npos) {
      end = 2;
      while (std::string_view("0123456789abcdefABCDEF_").find(peek(end)) != std::string_view::npos) ++end;
    } else if (!after_dot) {
      if (peek(end) == '.' && is_decimal(peek(end + 1))) is_real = true, end = digits_from(end + 1);
      size_t power = end;
      if (peek(power) == 'e' || peek(power) == 'E') {
        ++power;
        if (peek(power) == '+' || peek(power) == '-') ++power;
        if (is_decimal(peek(power))) is_real = true, end = digits_from(power);
      }
    }
    std::string value = source_.substr(at_, end);
    std::erase(value, '_');
    add(is_real ? TokenKind::real : TokenKind::integer, value);
    advance(end);
  }

  void read_text(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) broken("a string literal has no end");
    const std::string_view literal = std::string_view(source_).substr(at_ + 1, end - at_ - 1);
    try {
      add(TokenKind::text, unescaped(literal));
    } catch (const Fault& fault) {
      broken("{}", fault.what());
    }
    advance(end + 1 - at_);
  }

  std::string source_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;  // the last tag ended at the start of a line
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokens_of(std::string_view source, const Limits& limits) {
  if (source.size() > limits.template_bytes)
    raise("expected a template of at most {} bytes, given {}", limits.template_bytes, source.size());
  return Lexer(with_plain_lines(source)).run();
}

}  // namespace galore::jinja
