// LlamaTokenizer of transformers, built on the SentencePiece library.
//
// Ids equal those of AutoTokenizer.from_pretrained (the "fast" class) of transformers 4.57 for models with
// identity normalization, which all published Llama models have. Models with another normalization get the
// ids of the library. Transformers' fast class drops the normalization there and so gives other ids.
#pragma once

#include <sentencepiece_processor.h>

#include "tokenizer/sentencepiece_model.h"
#include "tokenizer/special_tokens.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_config.h"
#include "tokenizer/word_cache.h"

namespace galore {

class SentencePieceTokenizer : public Tokenizer {
 public:
  SentencePieceTokenizer(const Path& model_file, TokenizerConfig config);

  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens) const override;
  std::string decode(const std::vector<int32_t>& ids, bool skip_special) const override;
  int64_t vocab_size() const override { return vocab_size_; }
  std::optional<int64_t> bos_id() const override { return bos_id_; }
  std::optional<int64_t> eos_id() const override { return eos_id_; }
  std::optional<int64_t> pad_id() const override { return pad_id_; }
  std::string fingerprint() const override { return fingerprint_; }
  std::vector<Path> files() const override { return files_; }

 private:
  void load(const Path& model_file);
  void add_special_tokens(const std::string& where);
  std::optional<int64_t> resolve(const std::optional<std::string>& token);
  void encode_stretch(std::string_view text, bool at_start, WordCache& cache,
                      std::vector<int32_t>& ids) const;
  void encode_words(std::string_view text, WordCache& cache, std::vector<int32_t>& ids) const;
  void encode_word(std::string_view word, WordCache& cache, std::vector<int32_t>& ids) const;
  void encode_whole(std::string_view text, std::vector<int32_t>& ids) const;
  std::string_view piece(int32_t id) const;

  TokenizerConfig config_;
  SentencePieceModel model_;
  sentencepiece::SentencePieceProcessor processor_;
  bool by_words_ = false;    // encode word by word through the cache
  bool own_prefix_ = false;  // we add the word start before the text ourselves, instead of the library
  bool add_prefix_ = true;
  SpecialTokens special_tokens_;
  int64_t vocab_size_ = 0;
  std::optional<int64_t> bos_id_, eos_id_, pad_id_;
  std::string fingerprint_;
  std::vector<Path> files_;
  mutable WordCaches caches_;
};

}  // namespace galore
