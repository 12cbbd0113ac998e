// The stages of one tokenizer.json, run in the order of Python's `tokenizers.Tokenizer`.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/added_vocabulary.h"
#include "tokenizer/decoders/decoder.h"
#include "tokenizer/models/model.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/post_processors/post_processor.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"
#include "tokenizer/word_cache.h"

namespace galore {

// "truncation": limits a text to `max_length` ids, special tokens included.
struct Truncation {
  int64_t max_length = 0;
  bool left = false;
  enum class Strategy { longest_first, only_first, only_second } strategy = Strategy::longest_first;
};

// "padding": fills up to a fixed length ("Fixed") or to a multiple.
struct Padding {
  int64_t length = 0;  // 0: the length of the text (BatchLongest)
  int64_t multiple = 0;
  bool left = false;
  int32_t id = 0, type_id = 0;
};

class Pipeline {
 public:
  struct Stages {
    std::unique_ptr<Normalizer> normalizer;
    std::unique_ptr<PreTokenizer> pre_tokenizer;
    std::unique_ptr<Model> model;
    std::unique_ptr<PostProcessor> post_processor;
    std::unique_ptr<TokenDecoder> decoder;
    AddedVocabulary added;
    std::optional<Truncation> truncation;
    std::optional<Padding> padding;
  };
  explicit Pipeline(Stages stages);

  // Encodes one text or, when `second` is not null, a pair of texts. Bytes that are not valid UTF-8 count as
  // U+FFFD. `truncation` replaces that of the tokenizer's file, and null keeps it.
  IdSequence encode(std::string_view text, const std::string_view* second, bool add_special_tokens,
                    const Truncation* truncation = nullptr) const;
  std::string decode(const std::vector<int32_t>& ids, bool skip_special) const;

  std::optional<int32_t> id_of(const std::string& token) const;
  int64_t vocab_size() const { return vocab_size_; }
  const AddedVocabulary& added() const { return stages_.added; }

 private:
  class Encoder;
  IdSequence encode_text(std::string_view text, int32_t type_id) const;
  void truncate(std::vector<IdSequence>& sequences, bool add_special_tokens, const Truncation& rule) const;
  void pad(IdSequence& sequence) const;

  Stages stages_;
  bool bytes_are_plain_ = false;  // pieces hold plain bytes, which we write as byte-level characters
  bool by_words_ = false;         // pieces may be split at U+2581
  int64_t vocab_size_ = 0;
  mutable WordCaches caches_;
};

}  // namespace galore
