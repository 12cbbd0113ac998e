// The fourth stage of a tokenizer.json: it puts special tokens around the ids of one text or two.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace galore {

// The ids of a text and, for each id, the part of the input that it belongs to ("token_type_ids").
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
  // `sequences` holds one sequence for one text and two for a pair. The result may have more sequences; their
  // order is the order of the ids.
  virtual void process(std::vector<IdSequence>& sequences, bool add_special_tokens) const = 0;
  // Returns the number of ids that it adds when special tokens are asked for.
  virtual int64_t num_added(bool pair) const = 0;
};

// Makes the post-processor that the "post_processor" object of a tokenizer.json describes. An unknown type is
// an Error that names it.
std::unique_ptr<PostProcessor> make_post_processor(const nlohmann::json& json, const std::string& where);

}  // namespace galore
