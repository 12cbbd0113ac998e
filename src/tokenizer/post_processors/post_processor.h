// The fourth stage of a tokenizer.json: special tokens around the ids of one text or two.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace galore {

// The ids of a text and, for each, which part of the input it belongs to ("token_type_ids").
struct IdSequence {
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;

  void append(int32_t id, int32_t type_id) {
    ids.push_back(id);
    type_ids.push_back(type_id);
  }
};

class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  // `sequences` are those of one text or of a pair; there may be more of them afterwards, in order.
  virtual void process(std::vector<IdSequence>& sequences, bool add_special_tokens) const = 0;
  // How many ids it adds when special tokens are asked for.
  virtual int64_t num_added(bool pair) const = 0;
};

// Of the "post_processor" of a tokenizer.json; an unknown type is an Error that names it.
std::unique_ptr<PostProcessor> make_post_processor(const nlohmann::json& json, const std::string& where);

}  // namespace galore
