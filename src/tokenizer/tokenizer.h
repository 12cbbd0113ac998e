// Text to token ids and back, with the ids that transformers' AutoTokenizer gives for the same files.
//
// A tokenizer is a folder as transformers writes it, or one file of it: `tokenizer.json` (its components
// stand in the folders beside this file), or a SentencePiece model (`tokenizer.model`, class LlamaTokenizer).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "tokenizer/post_processors/post_processor.h"

namespace galore {

// All functions are const and may be called from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // With `add_special_tokens`, the tokens that the tokenizer's configuration asks for (add_bos_token,
  // add_eos_token) stand around the text. Special tokens written in the text are recognised either way, as
  // transformers does, unless the configuration says split_special_tokens.
  virtual std::vector<int32_t> encode(std::string_view text, bool add_special_tokens) const = 0;
  // Two texts as one input, with the part that each id belongs to. An Error where the tokenizer has no pairs.
  virtual IdSequence encode_pair(std::string_view first, std::string_view second,
                                 bool add_special_tokens) const;
  // Bytes that are no valid UTF-8 become U+FFFD. An id outside [0, vocab_size()) is an Error.
  virtual std::string decode(const std::vector<int32_t>& ids, bool skip_special) const = 0;
  // Number of ids, added tokens included: every id is below it.
  virtual int64_t vocab_size() const = 0;
  virtual std::optional<int64_t> bos_id() const = 0;
  virtual std::optional<int64_t> eos_id() const = 0;
  virtual std::optional<int64_t> pad_id() const = 0;
  // 16 hex digits over the bytes of the files that decide the ids: names caches.
  virtual std::string fingerprint() const = 0;
  // What to copy beside a checkpoint so that transformers loads the same tokenizer.
  virtual std::vector<Path> files() const = 0;
};

// A folder, read as AutoTokenizer reads it: its tokenizer.json where it has one, else its tokenizer.model. Or
// one such file; a tokenizer.json by itself is read as tokenizers' Tokenizer.from_file reads it. Missing,
// broken and unsupported files are Errors.
std::unique_ptr<Tokenizer> load_tokenizer(const Path& path);

// 16 hex digits over names and bytes of files.
std::string combined_fingerprint(const std::vector<Path>& files);

}  // namespace galore
