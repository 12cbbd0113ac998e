// Turns text into token ids and back. The ids equal those of transformers' AutoTokenizer for the same files.
//
// A tokenizer is a folder as transformers writes it or one file of it: `tokenizer.json` (the folders below
// this one hold its components) or a SentencePiece model (`tokenizer.model`, class LlamaTokenizer).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"

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

// All functions are const, and several threads may call them at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // With `add_special_tokens`, puts the tokens that the tokenizer's configuration asks for (add_bos_token,
  // add_eos_token) around the text. Special tokens written in the text are recognised either way, as in
  // transformers, unless the configuration sets split_special_tokens.
  virtual std::vector<int32_t> encode(std::string_view text, bool add_special_tokens) const = 0;
  // Encodes a text with special tokens as one input of at most max_length ids. The text is cut, not the
  // tokens around it.
  virtual IdSequence encode_row(std::string_view text, int64_t max_length) const;
  // Encodes two texts as one input and tells for each id which text it belongs to. Throws Error when the
  // tokenizer does not support pairs. With max_length above 0 the longer text is cut first, as by
  // transformers' truncation=True.
  virtual IdSequence encode_pair(std::string_view first, std::string_view second, bool add_special_tokens,
                                 int64_t max_length = 0) const;
  // Turns ids into text. Bytes that are not valid UTF-8 become U+FFFD. An id outside [0, vocab_size()) is an
  // Error.
  virtual std::string decode(const std::vector<int32_t>& ids, bool skip_special) const = 0;
  // Returns the number of ids, added tokens included. Every id is below it.
  virtual int64_t vocab_size() const = 0;
  virtual std::optional<int64_t> bos_id() const = 0;
  virtual std::optional<int64_t> eos_id() const = 0;
  virtual std::optional<int64_t> pad_id() const = 0;
  // Returns the token that stands for a hidden one in masked language modelling.
  virtual std::optional<int64_t> mask_id() const { return std::nullopt; }
  // Returns the ids of all special tokens in ascending order.
  virtual std::vector<int64_t> special_ids() const { return {}; }
  // Returns 16 hex digits computed from the files that decide the ids. Caches use them as names.
  virtual std::string fingerprint() const = 0;
  // Returns the files to copy into a checkpoint so that transformers loads the same tokenizer.
  virtual std::vector<Path> files() const = 0;
};

// Loads a tokenizer from a folder or a file. A folder is read as AutoTokenizer reads it: its tokenizer.json
// if it has one, otherwise its tokenizer.model. A tokenizer.json alone is read as tokenizers'
// Tokenizer.from_file reads it. Missing, broken and unsupported files are Errors.
std::unique_ptr<Tokenizer> load_tokenizer(const Path& path);

// Returns 16 hex digits computed from the names and bytes of files.
std::string combined_fingerprint(const std::vector<Path>& files);

}  // namespace galore
