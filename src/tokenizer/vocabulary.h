// The tokens of a model: text to id and back, in flat tables.
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
  Vocabulary(const Vocabulary&) = delete;  // the table points into arena_
  Vocabulary& operator=(const Vocabulary&) = delete;

  // A text that is there already gets the new id, as in a JSON object that names it twice.
  void add(std::string_view token, int32_t id);
  // -1 when there is no such token.
  int32_t id_of(std::string_view token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? -1 : found->second;
  }
  std::optional<std::string_view> token_of(int32_t id) const;
  // Number of texts; ids may lie beyond it in files that leave some out.
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
