#include "tokenizer/regex/translation.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "core/errors.h"
#include "tokenizer/regex/class_items.h"

namespace galore {
namespace {

// A set of characters while it is read: items that fit between brackets, and alternatives that do not.
struct Class {
  std::string items;
  std::vector<std::string> alternatives;  // each matches one character

  void add(const std::string& text) { items += text; }
  // Returns a pattern that matches one character of the set or, if negated, one character outside it.
  std::string pattern(bool negated) const {
    if (alternatives.empty())
      return items.empty() ? (negated ? "[\\x{0}-\\x{10ffff}]" : "(?!)")
                           : (negated ? "[^" : "[") + items + "]";
    std::string any;
    if (!items.empty()) any = "[" + items + "]";
    for (const std::string& alternative : alternatives) any += (any.empty() ? "" : "|") + alternative;
    return negated ? "(?:(?!" + any + ")[\\x{0}-\\x{10ffff}])" : "(?:" + any + ")";
  }
};

class Translation {
 public:
  Translation(std::string_view pattern, const std::string& where) : pattern_(pattern), where_(where) {}

  std::string run() {
    while (!done()) step();
    return out_;
  }

 private:
  bool done() const { return at_ >= pattern_.size(); }
  bool looking_at(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool take(std::string_view text) {
    const bool found = looking_at(text);
    if (found) at_ += text.size();
    return found;
  }
  char next() {
    if (done()) refuse("it ends too early");
    return pattern_[at_++];
  }
  [[noreturn]] void refuse(const std::string& reason) const {
    fail(where_, "the pattern '{}' is not supported: {}", pattern_, reason);
  }
  void atom(const std::string& text) {
    atom_begin_ = out_.size();
    out_ += text;
  }

  void step() {
    const char c = next();
    if (c == '\\') return escape();
    if (c == '[') return atom(character_class());
    if (c == '(') return open_group();
    if (c == ')') return close_group();
    if (c == '{') return interval();
    if (c == '*' || c == '+' || c == '?' || c == '|' || c == '^' || c == '$') {
      out_ += c;
      return;
    }
    atom_begin_ = out_.size();
    out_ += c;
    while (!done() && (static_cast<unsigned char>(pattern_[at_]) & 0xc0) == 0x80) out_ += pattern_[at_++];
  }

  void open_group() {
    groups_.push_back(out_.size());
    out_ += '(';
    if (!take("?")) return;
    out_ += '?';
    // Ruby's option m is PCRE2's option s.
    while (!done() && (std::isalpha(static_cast<unsigned char>(pattern_[at_])) || pattern_[at_] == '-')) {
      const char option = pattern_[at_++];
      if (option != 'i' && option != 'm' && option != 'x' && option != '-')
        refuse(std::string("option '") + option + "'");
      out_ += option == 'm' ? 's' : option;
    }
    if (take("<=") || take("<!")) out_ += pattern_.substr(at_ - 2, 2);
  }

  void close_group() {
    if (groups_.empty()) refuse("a ')' without its '('");
    atom_begin_ = groups_.back();
    groups_.pop_back();
    out_ += ')';
  }

  // In Ruby's syntax {n,m}+ repeats the repetition and is not possessive; {,m} begins at 0.
  void interval() {
    const size_t end = pattern_.find('}', at_);
    const std::string body(pattern_.substr(at_, end == std::string_view::npos ? 0 : end - at_));
    const bool numeric =
        !body.empty() && body != "," && body.find_first_not_of("0123456789,") == std::string::npos;
    if (!numeric) return atom("\\{");
    at_ = end + 1;
    out_ += "{" + (body[0] == ',' ? "0" + body : body) + "}";
    if (!looking_at("+")) return;
    out_.insert(atom_begin_, "(?:");
    out_ += ")";
  }

  std::string property(bool& negated) {
    if (!take("{")) refuse("a property without braces");
    if (take("^")) negated = !negated;
    const size_t end = pattern_.find('}', at_);
    if (end == std::string_view::npos) refuse("a property without its end");
    std::string name(pattern_.substr(at_, end - at_));
    at_ = end + 1;
    return name;
  }

  // Adds the set that the escape \c names; returns false when it names none.
  bool class_escape(char c, Class& set) {
    const std::string kinds = "sSwWdDhHpP";
    if (kinds.find(c) == std::string::npos) return false;
    bool negated = std::isupper(static_cast<unsigned char>(c)) != 0;
    const char kind = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    Class named;
    if (kind == 's')
      return set.add(negated ? class_items::not_white_space() : class_items::white_space()), true;
    if (kind == 'w') named.items = class_items::word();
    if (kind == 'd') named.items = class_items::digit();
    if (kind == 'h') named.items = "0-9a-fA-F";
    if (kind == 'p') named = property_class(property(negated));
    if (!negated && named.alternatives.empty())
      set.add(named.items);
    else
      set.alternatives.push_back(named.pattern(negated));
    return true;
  }

  Class property_class(const std::string& name) const {
    Class named;
    const auto items = class_items::property(name);
    if (!items) refuse("\\p{" + name + "} is not known");
    const std::string taken_out = class_items::taken_out(name);
    if (taken_out.empty())
      named.items = *items;
    else
      named.alternatives.push_back("(?:(?![" + taken_out + "])[" + *items + "])");
    return named;
  }

  // Translates an escape for one character, inside or outside of a class.
  std::string character_escape(char c) {
    switch (c) {
      case 'n':
      case 'r':
      case 't':
      case 'f':
      case 'a':
      case 'e':
        return std::string("\\") + c;
      case 'v':
        return "\\x{b}";
      case 'x':
        return take("{") ? "\\x{" + hexadecimal(1, 8, true) + "}" : "\\x{" + hexadecimal(1, 2, false) + "}";
      case 'u':
        return "\\x{" + hexadecimal(4, 4, false) + "}";
      case '0':
        return "\\x{0}";
      default:
        if (std::isalnum(static_cast<unsigned char>(c))) refuse(std::string("\\") + c);
        if (static_cast<unsigned char>(c) < 0x80) return std::string("\\") + c;
        return std::string(1, c);
    }
  }

  std::string hexadecimal(size_t least, size_t most, bool closed) {
    std::string digits;
    while (!done() && digits.size() < most && std::isxdigit(static_cast<unsigned char>(pattern_[at_])))
      digits += pattern_[at_++];
    if (digits.size() < least || (closed && !take("}"))) refuse("a wrong hexadecimal escape");
    return digits;
  }

  void escape() {
    const char c = next();
    Class set;
    if (class_escape(c, set)) return atom(set.pattern(false));
    if (c == 'b' || c == 'B') {
      const std::string word = "[" + class_items::word() + "]";
      const std::string same = "(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + ")";
      const std::string other = "(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + ")";
      return atom("(?:" + (c == 'B' ? same : other) + ")");
    }
    if (c == 'A' || c == 'z' || c == 'Z' || c == 'G' || c == 'R' || c == 'X' || (c >= '1' && c <= '9'))
      return atom(std::string("\\") + c);
    atom(character_escape(c));
  }

  // Reads a class from behind its opening bracket through its closing bracket.
  std::string character_class() {
    const bool negated = take("^");
    std::vector<std::string> operands;  // the operands of &&
    Class set;
    for (bool first = true;; first = false) {
      if (take("&&")) {
        operands.push_back(set.pattern(false));
        set = Class();
        continue;
      }
      const char c = next();
      if (c == ']' && !first) break;
      class_member(c, set);
    }
    if (operands.empty()) return set.pattern(negated);
    std::string both = "(?:";
    for (const std::string& operand : operands) both += "(?=" + operand + ")";
    both += set.pattern(false) + ")";
    return negated ? "(?:(?!" + both + ")[\\x{0}-\\x{10ffff}])" : both;
  }

  void class_member(char c, Class& set) {
    if (c == '[' && take(":")) return posix_class(set);
    if (c == '[') return set.alternatives.push_back(character_class());
    if (c != '\\') {
      const bool special = c == ']' || c == '\\' || c == '^';
      return set.add(special ? std::string("\\") + c : std::string(1, c));
    }
    const char escaped = next();
    if (class_escape(escaped, set)) return;
    set.add(escaped == 'b' ? "\\x{8}" : character_escape(escaped));
  }

  void posix_class(Class& set) {
    const bool negated = take("^");
    const size_t end = pattern_.find(":]", at_);
    if (end == std::string_view::npos) refuse("a [: without its end");
    std::string name(pattern_.substr(at_, end - at_));
    at_ = end + 2;
    if (name == "punct") refuse("[:punct:], which differs between Unicode's versions");
    const Class named = property_class(name);
    if (negated || !named.alternatives.empty())
      set.alternatives.push_back(named.pattern(negated));
    else
      set.add(named.items);
  }

  std::string_view pattern_;
  const std::string& where_;
  size_t at_ = 0;
  std::string out_;
  size_t atom_begin_ = 0;  // offset in out_ of the atom that a quantifier would repeat
  std::vector<size_t> groups_;
};

}  // namespace

std::string pcre2_pattern(std::string_view pattern, const std::string& where) {
  return Translation(pattern, where).run();
}

}  // namespace galore
