// The tokenizer that a tokenizer.json describes.
#pragma once

#include "tokenizer/pipeline.h"
#include "tokenizer/pretrained.h"
#include "tokenizer/tokenizer.h"

namespace galore {

class JsonTokenizer : public Tokenizer {
 public:
  // A folder gives the tokenizer that AutoTokenizer.from_pretrained makes of it. A file alone gives the
  // tokenizer that tokenizers.Tokenizer.from_file makes of it.
  static std::unique_ptr<JsonTokenizer> from_folder(const Path& folder, const PretrainedFolder& pretrained);
  static std::unique_ptr<JsonTokenizer> from_file(const Path& file);

  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens) const override;
  IdSequence encode_row(std::string_view text, int64_t max_length) const override;
  IdSequence encode_pair(std::string_view first, std::string_view second, bool add_special_tokens,
                         int64_t max_length) const override;
  std::string decode(const std::vector<int32_t>& ids, bool skip_special) const override;
  int64_t vocab_size() const override { return pipeline_->vocab_size(); }
  std::optional<int64_t> bos_id() const override { return bos_id_; }
  std::optional<int64_t> eos_id() const override { return eos_id_; }
  std::optional<int64_t> pad_id() const override { return pad_id_; }
  std::optional<int64_t> mask_id() const override;
  std::vector<int64_t> special_ids() const override;
  std::string fingerprint() const override { return fingerprint_; }
  std::vector<Path> files() const override { return files_; }

 private:
  JsonTokenizer(Pipeline::Stages stages, std::vector<Path> files);

  std::unique_ptr<Pipeline> pipeline_;
  bool clean_up_spaces_ = false;
  std::optional<int64_t> bos_id_, eos_id_, pad_id_, mask_id_;
  std::string fingerprint_;
  std::vector<Path> files_;
};

}  // namespace galore
