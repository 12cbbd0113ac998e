#include "core/option_lists.h"

#include <algorithm>

#include "core/options.h"

namespace galore {
namespace {

constexpr const char* kBlanks = " \t\n";

bool is_quote(char c) { return c == '"' || c == '\''; }

// Reads one item after the other.
class ListReader {
 public:
  ListReader(const std::string& text, char separator) : text_(text), separator_(separator) {}

  // Reads an item, which may be empty, and the separator behind it. Returns false at the end.
  bool next(std::string& item) {
    if (start_ > text_.size()) return false;
    if (!take_quoted(item)) take_plain(item);
    return true;
  }

 private:
  // An item is quoted if nothing but blanks follows its closing quote.
  bool take_quoted(std::string& item) {
    size_t at = text_.find_first_not_of(kBlanks, start_);
    if (at == std::string::npos || !is_quote(text_[at])) return false;
    const char quote = text_[at];
    item.clear();
    for (++at; at < text_.size() && text_[at] != quote; ++at) {
      const bool escaped =
          text_[at] == '\\' && at + 1 < text_.size() && (text_[at + 1] == quote || text_[at + 1] == '\\');
      item += text_[at += escaped ? 1 : 0];
    }
    if (at >= text_.size()) return false;
    const size_t after = std::min(text_.find_first_not_of(kBlanks, at + 1), text_.size());
    if (after < text_.size() && text_[after] != separator_) return false;
    start_ = after + 1;
    return true;
  }

  void take_plain(std::string& item) {
    item.clear();
    size_t at = start_;
    for (; at < text_.size() && text_[at] != separator_; ++at) {
      if (text_[at] == '\\' && at + 1 < text_.size() && text_[at + 1] == separator_) ++at;
      item += text_[at];
    }
    start_ = at + 1;
    const size_t first = item.find_first_not_of(kBlanks);
    item = first == std::string::npos ? "" : item.substr(first, item.find_last_not_of(kBlanks) - first + 1);
  }

  const std::string& text_;
  char separator_;
  size_t start_ = 0;
};

}  // namespace

std::vector<std::string> split_list(const std::string& text, char separator) {
  std::vector<std::string> items;
  ListReader reader(text, separator);
  for (std::string item; reader.next(item);)
    if (!item.empty()) items.push_back(item);
  return items;
}

std::string list_item(const std::string& item, char separator) {
  // Another item follows, because a backslash at the end would keep the separator.
  const std::vector<std::string> expected = {item, "x"};
  const auto reads_back = [&](const std::string& text) {
    return split_list(text + separator + "x", separator) == expected;
  };
  if (reads_back(item)) return item;
  std::string escaped;
  for (const char c : item) escaped += c == separator ? std::string("\\") + c : std::string(1, c);
  if (reads_back(escaped)) return escaped;
  std::string quoted = "\"";
  for (const char c : item) quoted += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return quoted + '"';
}

std::string join_list(const std::vector<std::string>& items, char separator) {
  std::string text;
  for (const std::string& item : items)
    text += (text.empty() ? "" : std::string(1, separator)) + list_item(item, separator);
  return text;
}

}  // namespace galore
