#include "tokenizer/json_tokenizer.h"

#include "tokenizer/text_repair.h"
#include "tokenizer/tokenizer_file.h"
#include "tokenizer/tokenizer_files.h"

namespace galore {

JsonTokenizer::JsonTokenizer(Pipeline::Stages stages, std::vector<Path> files)
    : pipeline_(std::make_unique<Pipeline>(std::move(stages))),
      fingerprint_(combined_fingerprint(files)),
      files_(std::move(files)) {}

std::unique_ptr<JsonTokenizer> JsonTokenizer::from_file(const Path& path) {
  return std::unique_ptr<JsonTokenizer>(new JsonTokenizer(make_stages(read_tokenizer_file(path)), {path}));
}

std::unique_ptr<JsonTokenizer> JsonTokenizer::from_folder(const Path& folder,
                                                          const PretrainedFolder& pretrained) {
  TokenizerFile file = read_tokenizer_file(folder / "tokenizer.json");
  pretrained.edit(file.settings);
  Pipeline::Stages stages = make_stages(file);
  const bool is_bpe = stages.model->is_bpe();
  pretrained.complete(file, stages);
  std::vector<Path> files = pretrained.files();
  files.insert(files.begin(), folder / "tokenizer.json");
  std::unique_ptr<JsonTokenizer> tokenizer(new JsonTokenizer(std::move(stages), std::move(files)));
  const auto id_of = [&](const char* key) -> std::optional<int64_t> {
    const auto token = pretrained.named_token(key);
    return token ? tokenizer->pipeline_->id_of(*token) : std::nullopt;
  };
  // The other files decide no ids, but slow tokenizers and converters read them.
  add_tokenizer_files_in(folder, tokenizer->files_);
  tokenizer->bos_id_ = id_of("bos_token");
  tokenizer->eos_id_ = id_of("eos_token");
  tokenizer->pad_id_ = id_of("pad_token");
  tokenizer->mask_id_ = id_of("mask_token");
  tokenizer->clean_up_spaces_ = pretrained.clean_up_spaces(is_bpe);
  return tokenizer;
}

// A tokenizer.json alone does not say which of its tokens is the mask.
std::optional<int64_t> JsonTokenizer::mask_id() const {
  if (mask_id_) return mask_id_;
  for (const char* name : {"[MASK]", "<mask>"})
    if (pipeline_->added().is_special(name)) return pipeline_->id_of(name);
  return std::nullopt;
}

std::vector<int64_t> JsonTokenizer::special_ids() const {
  std::vector<int64_t> ids;
  for (const auto& [id, entry] : pipeline_->added().entries())
    if (entry.special) ids.push_back(id);
  return ids;
}

std::vector<int32_t> JsonTokenizer::encode(std::string_view text, bool add_special_tokens) const {
  return pipeline_->encode(text, nullptr, add_special_tokens).ids;
}

IdSequence JsonTokenizer::encode_row(std::string_view text, int64_t max_length) const {
  const Truncation limit{.max_length = max_length};
  return pipeline_->encode(text, nullptr, /*add_special_tokens=*/true, &limit);
}

IdSequence JsonTokenizer::encode_pair(std::string_view first, std::string_view second,
                                      bool add_special_tokens, int64_t max_length) const {
  const Truncation longest_first{.max_length = max_length};
  return pipeline_->encode(first, &second, add_special_tokens, max_length > 0 ? &longest_first : nullptr);
}

std::string JsonTokenizer::decode(const std::vector<int32_t>& ids, bool skip_special) const {
  std::string text = pipeline_->decode(ids, skip_special);
  return clean_up_spaces_ ? clean_up_spaces(std::move(text)) : text;
}

}  // namespace galore
