#include "data/data_options.h"

#include "data/prefetch.h"

namespace galore {

std::shared_ptr<const TokenDataset> open_dataset(const DataOptions& options, const Tokenizer* tokenizer,
                                                 const DataMessages& messages) {
  DatasetOptions dataset;
  dataset.files = options.files;
  dataset.cache_folder = options.cache_folder;
  dataset.tokenization.text_documents = options.text_documents;
  if (options.batches.packing && tokenizer) dataset.tokenization.separator = tokenizer->eos_id();
  return std::make_shared<const TokenDataset>(dataset, tokenizer, messages);
}

std::unique_ptr<BatchSource> make_batch_source(const DataOptions& options, const Tokenizer* tokenizer,
                                               std::shared_ptr<const TokenDataset> dataset) {
  BatchOptions batches = options.batches;
  if (tokenizer && batches.pad_id == 0)
    batches.pad_id = tokenizer->pad_id().value_or(tokenizer->eos_id().value_or(0));
  if (tokenizer && batches.vocab_size == 0) batches.vocab_size = tokenizer->vocab_size();
  auto source = std::make_unique<RowBatchSource>(std::move(dataset), batches);
  if (options.prefetch <= 0) return source;
  return std::make_unique<PrefetchSource>(std::move(source), options.prefetch);
}

}  // namespace galore
