// The tokens of a model in flat tables, from text to id and from id to text.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galore {

class Vocabulary {
 public:
  Vocabulary() = default;
  Vocabulary(const Vocabulary&) = delete;  // the tables point into arena_
  Vocabulary& operator=(const Vocabulary&) = delete;

  // Adds a token. A text that is already there gets the new id, like a repeated key in a JSON object.
  void add(std::string_view token, int32_t id);
  // Returns -1 when there is no such token.
  int32_t id_of(std::string_view token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? -1 : found->second;
  }
  std::optional<std::string_view> token_of(int32_t id) const;
  // Returns the number of texts. Ids may be larger, because some files skip ids.
  size_t size() const { return ids_.size(); }
  int32_t largest_id() const { return largest_id_; }
  void reserve(size_t tokens) { ids_.reserve(tokens); }

 private:
  std::string_view stored(std::string_view token);

  tsl::robin_map<std::string_view, int32_t> ids_;
  std::vector<std::optional<std::string_view>> tokens_;  // by id
  std::deque<std::string> arena_;
  int32_t largest_id_ = -1;
};

}  // namespace galore
