#pragma once

#include "tokenizer/json_fields.h"
#include "tokenizer/post_processors/post_processor.h"

namespace galore {

// BertProcessing: [CLS] a [SEP] b [SEP]; the type is 1 from b on.
class BertPostProcessor : public PostProcessor {
 public:
  explicit BertPostProcessor(const JsonFields& fields)
      : separator_(fields.token_id("sep")), begin_(fields.token_id("cls")) {}
  void process(std::vector<IdSequence>& sequences, bool add_special_tokens) const override;
  int64_t num_added(bool pair) const override { return pair ? 3 : 2; }

 private:
  int32_t separator_, begin_;
};

// RobertaProcessing: <s> a </s></s> b </s>; all types are 0.
class RobertaPostProcessor : public PostProcessor {
 public:
  explicit RobertaPostProcessor(const JsonFields& fields)
      : separator_(fields.token_id("sep")), begin_(fields.token_id("cls")) {}
  void process(std::vector<IdSequence>& sequences, bool add_special_tokens) const override;
  int64_t num_added(bool pair) const override { return pair ? 4 : 2; }

 private:
  int32_t separator_, begin_;
};

// ByteLevel changes offsets only, which we do not compute.
class ByteLevelPostProcessor : public PostProcessor {
 public:
  void process(std::vector<IdSequence>&, bool) const override {}
  int64_t num_added(bool) const override { return 0; }
};

class PostProcessorSequence : public PostProcessor {
 public:
  explicit PostProcessorSequence(const JsonFields& fields);
  void process(std::vector<IdSequence>& sequences, bool add_special_tokens) const override;
  int64_t num_added(bool pair) const override;

 private:
  std::vector<std::unique_ptr<PostProcessor>> parts_;
};

}  // namespace galore
