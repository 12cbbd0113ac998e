// Patterns of module names as PEFT has them: lists of endings, regular expressions in Python's syntax, and
// numbers of layers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace galore {

// A regular expression of Python's module `re`. A pattern that does not compile is a UsageError at `where`,
// and so is a match that takes too many steps.
class PythonPattern {
 public:
  PythonPattern(const std::string& pattern, const std::string& where);
  // Returns true if the whole text matches.
  bool matches(const std::string& text) const;
  // Returns the text of the group of this name if the pattern matches at the beginning of `text`.
  std::optional<std::string> group_at_start(const std::string& text, const std::string& group) const;

 private:
  struct Compiled;
  // Matches at the beginning of `text`, or all of it. `group` is a name, or null.
  bool run(const std::string& text, bool whole, const char* group, std::string* found) const;

  std::string pattern_, where_;
  std::shared_ptr<const Compiled> compiled_;
};

// Returns true if `name` is one of `endings` or ends in a dot and one of them.
bool is_named_by(const std::string& name, const std::vector<std::string>& endings);

}  // namespace galore
