// The fourth stage of a tokenizer.json: it puts special tokens around the ids of one text or two.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace galore {

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
