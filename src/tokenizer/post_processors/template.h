#pragma once

#include <map>

#include "tokenizer/json_fields.h"
#include "tokenizer/post_processors/post_processor.h"

namespace galore {

// TemplateProcessing: a list of sequences and special tokens for one text ("single") and another for two
// texts ("pair").
class TemplatePostProcessor : public PostProcessor {
 public:
  explicit TemplatePostProcessor(const JsonFields& fields);
  void process(std::vector<IdSequence>& sequences, bool add_special_tokens) const override;
  int64_t num_added(bool pair) const override;

 private:
  struct Part {
    int sequence = -1;  // 0: the text A; 1: the text B; -1: the ids of a special token
    std::vector<int32_t> ids;
    int32_t type_id = 0;
  };
  using SpecialIds = std::map<std::string, std::vector<int32_t>>;
  static std::vector<Part> read_template(const JsonFields& fields, const char* key,
                                         const SpecialIds& special);

  std::vector<Part> single_, pair_;
};

}  // namespace galore
