#include "train/inputs.h"

#include <ATen/Parallel.h>

#include <thread>

#include "checkpoint/generation_config.h"
#include "core/errors.h"
#include "data/prefetch.h"
#include "data/rank_source.h"
#include "data/row_batch_source.h"
#include "data/stream_source.h"
#include "data/token_check.h"
#include "models/architecture.h"
#include "train/distribution.h"

namespace galore {
namespace {

Packing packing_of(const DataOptions& options) {
  if (!options.packing_word.empty()) return Packing::isolated;
  return options.packing ? Packing::joined : Packing::none;
}

TokenizationOptions tokenization_options(const DataOptions& options, const Tokenizer* tokenizer,
                                         const ModelConfig& config) {
  TokenizationOptions tokenization;
  tokenization.text_documents = text_documents_from_name(options.document_mode);
  if (options.bad_rows == "skip") tokenization.broken_rows = BrokenRows::skip;
  tokenization.encoding = text_encoding_from_name(options.encoding);
  if (tokenizer && options.append_eos) tokenization.separator = end_of_text(tokenizer, config);
  tokenization.separates_ids = packing_of(options) != Packing::none;
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
                                          const Tokenizer* tokenizer, const ModelConfig& config,
                                          const BatchOptions& batches, const DataMessages& messages) {
  const TokenizationOptions tokenization = tokenization_options(options, tokenizer, config);
  const TokenDtype dtype = token_dtype_from_name(options.token_dtype);
  if (options.streaming)
    return std::make_unique<StreamBatchSource>(
        StreamOptions{files, tokenization, batches, options.buffer_size, options.dataloader_num_workers,
                      dtype},
        tokenizer, messages);
  const DatasetOptions dataset{
      files, options.cache_dir, tokenization, dtype, {config.vocab_size, options.max_length}};
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
  // Padding is never predicted or seen, so any id of the model will do.
  const auto pad = tokenizer ? tokenizer->pad_id() : config.pad_token_id;
  const auto end = tokenizer ? end_of_text(tokenizer, config) : std::nullopt;
  for (const auto& id : {end, pad})
    if (id && is_id(*id, config.vocab_size)) batch.pad_id = *id;
  return batch;
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
  if (source.model_name_or_path.empty()) return nullptr;
  const Path model = source.model_name_or_path;
  const bool has_one =
      std::filesystem::exists(model / "tokenizer.model") || std::filesystem::exists(model / "tokenizer.json");
  if (!model.empty() && has_one) return load_tokenizer(model);
  return nullptr;
}

std::optional<int64_t> end_of_text(const Tokenizer* tokenizer, const ModelConfig& config) {
  if (tokenizer && tokenizer->eos_id()) return tokenizer->eos_id();
  for (const std::string& text : {config.source, config.generation_source})
    if (const auto id = named_token_id(text, "eos_token_id"); id && is_id(*id, config.vocab_size)) return id;
  return std::nullopt;
}

std::unique_ptr<BatchSource> open_train_data(const DataOptions& options, const Tokenizer* tokenizer,
                                             const ModelConfig& config, const DataMessages& messages,
                                             const Task& task) {
  if (options.train_file.empty()) fail_usage("train_file", "expected one or more files, given none");
  BatchOptions batch = batch_options(options, tokenizer, config);
  if (options.val_size > 0) batch.split = DataSplit::train;
  const RowEncoding encoding{config, tokenizer, options.max_length};
  if (messages && tokenizer && options.append_eos && !task.reads_rows() && !end_of_text(tokenizer, config))
    messages("note: neither the tokenizer nor config.json names an end of text (eos), so documents get none");
  auto rows = task.reads_rows()
                  ? open_rows(options.train_file, options, encoding, batch, task, messages)
                  : open_batches(options.train_file, options, tokenizer, config, batch, messages);
  if (options.processes > 1) rows = std::make_unique<RankSource>(std::move(rows), share_of(options));
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
  BatchOptions batch = batch_options(options, tokenizer, config);
  batch.rows = options.per_device_eval_batch_size;
  batch.evaluation = true;
  batch.split = held_out ? DataSplit::validation : DataSplit::all;
  if (!held_out) batch.val_size = 0, batch.max_samples = 0;
  const auto& files = held_out ? options.train_file : options.eval_file;
  if (task.reads_rows())
    return open_rows(files, options, {config, tokenizer, options.max_length}, batch, task, messages);
  return open_batches(files, options, tokenizer, config, batch, messages);
}

}  // namespace galore
