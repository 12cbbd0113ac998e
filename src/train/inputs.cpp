#include "train/inputs.h"

#include <ATen/Parallel.h>

#include <thread>

#include "core/errors.h"
#include "data/prefetch.h"
#include "data/row_batch_source.h"
#include "data/stream_source.h"
#include "models/architecture.h"

namespace galore {
namespace {

Packing packing_of(const DataOptions& options) {
  if (!options.packing_word.empty()) return Packing::isolated;
  return options.packing ? Packing::joined : Packing::none;
}

TokenizationOptions tokenization_options(const DataOptions& options, const Tokenizer* tokenizer) {
  TokenizationOptions tokenization;
  tokenization.text_documents = text_documents_from_name(options.document_mode);
  if (options.bad_rows == "skip") tokenization.broken_rows = BrokenRows::skip;
  if (tokenizer && packing_of(options) != Packing::none) tokenization.separator = tokenizer->eos_id();
  tokenization.workers = options.preprocessing_num_workers;
  return tokenization;
}

// Encodes all rows of a task that reads rows of its own. They stay in memory.
std::unique_ptr<BatchSource> open_rows(const std::vector<std::string>& files, const DataOptions& options,
                                       const RowEncoding& encoding, BatchOptions batches, const Task& task,
                                       const DataMessages& messages) {
  if (options.streaming) fail_usage("streaming", "expected false: the task {} keeps its rows", task.name());
  std::vector<ExampleRow> examples;
  SkippedRows skipped;
  for (const TaskRow& row : read_task_rows(files, task.layout())) try {
      examples.push_back(task.encode(row, encoding));
    } catch (const Error& error) {
      if (options.bad_rows != "skip") throw;
      skipped.add(error.what());
    }
  if (skipped.count > 0 && messages)
    messages(fmt::format("note: {} broken rows were left out, the first: {}", skipped.count, skipped.first));
  batches.make_targets = score_targets;
  return std::make_unique<RowBatchSource>(std::move(examples), files.front(), batches);
}

// Opens all files in their order, as data of known length or as a stream.
std::unique_ptr<BatchSource> open_batches(const std::vector<std::string>& files, const DataOptions& options,
                                          const Tokenizer* tokenizer, const BatchOptions& batches,
                                          const DataMessages& messages) {
  const TokenizationOptions tokenization = tokenization_options(options, tokenizer);
  if (options.streaming)
    return std::make_unique<StreamBatchSource>(
        StreamOptions{files, tokenization, batches, options.buffer_size, options.dataloader_num_workers},
        tokenizer, messages);
  const DatasetOptions dataset{files, options.cache_dir, tokenization};
  return std::make_unique<RowBatchSource>(std::make_shared<TokenDataset>(dataset, tokenizer, messages),
                                          batches, messages);
}

BatchOptions batch_options(const DataOptions& options, const Tokenizer* tokenizer,
                           const ModelConfig& config) {
  BatchOptions batch;
  batch.rows = options.per_device_train_batch_size;
  batch.max_length = options.max_length;
  batch.packing = packing_of(options);
  batch.seed = static_cast<uint64_t>(options.data_seed);
  batch.vocab_size = config.vocab_size;
  batch.max_samples = options.max_samples;
  batch.val_size = options.val_size;
  batch.pad_id = config.pad_token_id.value_or(0);
  if (tokenizer) batch.pad_id = tokenizer->pad_id().value_or(tokenizer->eos_id().value_or(0));
  return batch;
}

void check_vocabulary(const Tokenizer* tokenizer, const ModelConfig& config) {
  if (tokenizer && tokenizer->vocab_size() > config.vocab_size)
    fail("tokenizer", "it has {} tokens, the model's vocabulary {}", tokenizer->vocab_size(),
         config.vocab_size);
}

}  // namespace

void set_threads(int64_t threads) {
  const int count =
      threads > 0 ? static_cast<int>(threads) : static_cast<int>(std::thread::hardware_concurrency());
  at::set_num_threads(count);
}

bool has_learned_positions(const ModelConfig& config) {
  return !architecture(config.model_type).plan(config).positions.empty();
}

std::shared_ptr<Tokenizer> tokenizer_of(const ModelSource& source) {
  if (!source.tokenizer_name.empty()) return load_tokenizer(source.tokenizer_name);
  const Path model = source.model_name_or_path;
  const bool has_one =
      std::filesystem::exists(model / "tokenizer.model") || std::filesystem::exists(model / "tokenizer.json");
  if (!model.empty() && has_one) return load_tokenizer(model);
  return nullptr;
}

std::unique_ptr<BatchSource> open_train_data(const DataOptions& options, const Tokenizer* tokenizer,
                                             const ModelConfig& config, const DataMessages& messages,
                                             const Task& task) {
  if (options.train_file.empty()) fail_usage("train_file", "expected one or more files, given none");
  check_vocabulary(tokenizer, config);
  BatchOptions batch = batch_options(options, tokenizer, config);
  if (options.val_size > 0) batch.split = DataSplit::train;
  const RowEncoding encoding{config, tokenizer, options.max_length};
  auto rows = task.reads_rows() ? open_rows(options.train_file, options, encoding, batch, task, messages)
                                : open_batches(options.train_file, options, tokenizer, batch, messages);
  if (options.dataloader_num_workers == 0) return rows;
  // A stream has worker threads of its own, so one thread that fetches its batches ahead is enough.
  return std::make_unique<PrefetchSource>(std::move(rows),
                                          options.streaming ? 1 : options.dataloader_num_workers);
}

std::unique_ptr<BatchSource> open_eval_data(const DataOptions& options, const Tokenizer* tokenizer,
                                            const ModelConfig& config, const DataMessages& messages,
                                            const Task& task) {
  const bool held_out = options.eval_file.empty() && options.val_size > 0;
  if (options.eval_file.empty() && !held_out) return nullptr;
  check_vocabulary(tokenizer, config);
  BatchOptions batch = batch_options(options, tokenizer, config);
  batch.rows = options.per_device_eval_batch_size;
  batch.evaluation = true;
  batch.split = held_out ? DataSplit::validation : DataSplit::all;
  if (!held_out) batch.val_size = 0, batch.max_samples = 0;
  const auto& files = held_out ? options.train_file : options.eval_file;
  if (task.reads_rows())
    return open_rows(files, options, {config, tokenizer, options.max_length}, batch, task, messages);
  return open_batches(files, options, tokenizer, batch, messages);
}

}  // namespace galore
