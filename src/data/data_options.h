// From the options of a run to its source of batches.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/batch_source.h"
#include "data/token_dataset.h"

namespace galore {

struct DataOptions {
  std::vector<std::string> files;  // .txt, .jsonl, .parquet, .bin; globs
  TextDocuments text_documents = TextDocuments::paragraph;
  Path cache_folder;     // empty: default_cache_folder()
  BatchOptions batches;  // pad_id and vocab_size 0: from the tokenizer
  int64_t prefetch = 2;  // batches made ahead on another thread; 0: none
};

// The tokens of the files. With packing, documents are ended by the tokenizer's eos, if it has one; without,
// they are as the tokenizer gives them. Share the result between the splits of the same files.
std::shared_ptr<const TokenDataset> open_dataset(const DataOptions& options, const Tokenizer* tokenizer,
                                                 const DataMessages& messages = {});

// Batches of `dataset` (as open_dataset gives it). Padding is pad, else eos, else 0.
std::unique_ptr<BatchSource> make_batch_source(const DataOptions& options, const Tokenizer* tokenizer,
                                               std::shared_ptr<const TokenDataset> dataset);

}  // namespace galore
