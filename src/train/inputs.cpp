#include "train/inputs.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

#include "chat/chat_encoder.h"
#include "checkpoint/generation_config.h"
#include "core/errors.h"
#include "data/changed_batches.h"
#include "data/epoch_updates.h"
#include "data/mixture_options.h"
#include "data/mixture_source.h"
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

// Rotary angles that depend on the length of a row leave no room for more padding than needed.
int64_t length_multiple(const ModelConfig& config) {
  const std::string& type = config.rope_scaling.type;
  return type == "dynamic" || type == "longrope" ? 1 : 8;
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
  if (options.instruction_rows) {
    if (!tokenizer) fail_usage("stage", "sft: expected a model with a tokenizer, or tokenizer_name");
    tokenization.chat_rows = true;
    tokenization.chat = std::make_shared<ChatEncoder>(*tokenizer, options);
  }
  return tokenization;
}

struct RowTask {
  const Task& task;
  const FillRows& fill;
};

// Encodes all rows of a task that reads rows of its own. They stay in memory.
std::unique_ptr<RowSource> open_rows(const std::vector<std::string>& files, const DataOptions& options,
                                     RowEncoding encoding, BatchOptions batches, const RowTask& of,
                                     const DataMessages& messages) {
  const Task& task = of.task;
  std::optional<ChatEncoder> chat;
  if (task.needs_reference()) {
    if (!encoding.tokenizer) fail_usage("task", "{}: expected a model with a tokenizer", task.name());
    encoding.chat = &chat.emplace(*encoding.tokenizer, options);
  }
  if (options.streaming) fail_usage("streaming", "expected false: the task {} keeps its rows", task.name());
  std::vector<ExampleRow> examples;
  SkippedRows skipped;
  int64_t targets = 0, clipped = 0;
  const SkipTaskRow skip =
      options.bad_rows == "skip" ? [&](const Error& error) { skipped.add(error.what()); } : SkipTaskRow();
  const auto take = [&](const TaskRow& row) {
    examples.push_back(task.encode(row, encoding));
    targets += examples.back().num_targets;
    clipped += examples.back().num_clipped;
    return true;
  };
  visit_task_rows(files, task.layout(), take, skip);
  if (skipped.count > 0 && messages)
    messages(fmt::format("note: {} broken rows were left out, the first: {}", skipped.count, skipped.first));
  if (clipped > 0 && messages)
    messages(fmt::format(
        "note: {} of {} targets of {} are outside of the value head's support, {} to {}, and "
        "are moved to its ends",
        clipped, targets, files.front(), encoding.config.head.value.v_min, encoding.config.head.value.v_max));
  if (task.needs_reference()) of.fill(examples);
  batches.length_multiple = length_multiple(encoding.config);
  return std::make_unique<RowBatchSource>(std::move(examples), files.front(), batches);
}

// Opens all files in their order, as data of known length or as a stream.
std::unique_ptr<RowSource> open_batches(const std::vector<std::string>& files, const DataOptions& options,
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

// Returns true if the outputs of an example depend on the length of the row in which it stands.
bool rotates_by_length(const ModelConfig& config) {
  const std::string& type = config.rope_scaling.type;
  return type == "dynamic" || type == "longrope";
}

BatchOptions batch_options(const DataOptions& options, const Tokenizer* tokenizer,
                           const ModelConfig& config) {
  BatchOptions batch;
  batch.rows = options.per_device_train_batch_size;
  batch.max_length = options.max_length;
  batch.packing = packing_of(options);
  batch.seed = static_cast<uint64_t>(options.data_seed);
  batch.vocab_size = config.vocab_size;
  batch.shuffle = options.train_sampling_strategy != "sequential";
  batch.group_by_length = options.train_sampling_strategy == "group_by_length";
  batch.bidirectional = is_encoder(config);
  if (batch.bidirectional) batch.length_multiple = length_multiple(config);
  batch.leave_out_untrained = options.instruction_rows;
  batch.max_samples = options.max_samples;
  batch.val_size = options.val_size;
  // Padding is never predicted or seen, so any id of the model will do.
  const auto pad = tokenizer ? tokenizer->pad_id() : config.pad_token_id;
  const auto end = tokenizer ? end_of_text(tokenizer, config) : std::nullopt;
  for (const auto& id : {end, pad})
    if (id && is_id(*id, config.vocab_size)) batch.pad_id = *id;
  return batch;
}

// Opens the files of a run for one purpose after the other.
struct DataOpener {
  const DataOptions& options;
  const Tokenizer* tokenizer;
  const ModelConfig& config;
  const DataMessages& messages;
  const Task& task;
  const FillRows& fill;
  const TargetOptions* target = nullptr;  // of training data

  std::unique_ptr<RowSource> rows(const std::vector<std::string>& files, const BatchOptions& batch) const {
    if (!task.reads_rows())
      return open_batches(files, options, tokenizer, config, with_targets(batch), messages);
    RowEncoding encoding{config, tokenizer, options.max_length};
    encoding.is_for_training = target != nullptr;
    encoding.bootstraps = target && target->has_target_network();
    return open_rows(files, options, encoding, with_targets(batch), {task, fill}, messages);
  }
  BatchOptions with_targets(BatchOptions batch) const {
    batch.make_targets = task.make_targets(target ? target->backup() : BackupRule());
    // Predictions of an evaluation and the sources of a mixture belong to the rows of the data.
    batch.share_rows =
        target && task.scores_places() && options.mixture.empty() && !rotates_by_length(config);
    return batch;
  }

  // Returns rows that get random targets, if the task draws them. The configuration is copied, because the
  // batches may outlive it.
  std::unique_ptr<BatchSource> drawn(std::unique_ptr<BatchSource> rows) const {
    if (!task.draws()) return rows;
    const auto own_config = std::make_shared<const ModelConfig>(config);
    const auto draw = [own_config, own_tokenizer = tokenizer, own_task = &task,
                       seed = static_cast<uint64_t>(options.data_seed),
                       probability = options.mlm_probability](Batch& batch, const DataPosition& first) {
      RowEncoding encoding{*own_config, own_tokenizer};
      encoding.mlm_probability = probability;
      own_task->draw(batch, encoding, {seed, first.epoch, first.index});
    };
    return std::make_unique<ChangedBatches>(std::move(rows), draw);
  }

  std::unique_ptr<BatchSource> evaluation(const std::vector<std::string>& files, bool held_out) const {
    BatchOptions batch = batch_options(options, tokenizer, config);
    batch.rows = options.per_device_eval_batch_size;
    batch.evaluation = true;
    batch.split = held_out ? DataSplit::validation : DataSplit::all;
    // Every row of an evaluation file has a line in the file of predictions.
    if (!held_out) batch.val_size = 0, batch.max_samples = 0, batch.leave_out_untrained = false;
    return drawn(rows(files, batch));
  }

  // With eval_files of its own, a source holds nothing out.
  std::unique_ptr<MixtureSource> mixture(const BatchOptions& batch) const {
    const std::vector<MixtureItem> items = parse_mixture(options.mixture);
    std::vector<MixturePart> parts;
    std::vector<int64_t> sizes;
    for (const MixtureItem& item : items) {
      BatchOptions own = batch;
      if (!item.eval_files.empty()) own.val_size = 0, own.split = DataSplit::all;
      parts.push_back({item.name, rows(item.files, own), 0, item.max_epochs});
      sizes.push_back(options.streaming ? bytes_of(item.files) : parts.back().rows->rows_per_epoch());
    }
    const std::vector<double> weights = mixture_weights(items, sizes, options.mixture_temperature);
    for (size_t k = 0; k < parts.size(); ++k) parts[k].weight = weights[k];
    return std::make_unique<MixtureSource>(std::move(parts), with_targets(batch));
  }

 private:
  // Stands for the size of a stream, whose rows are not counted.
  static int64_t bytes_of(const std::vector<std::string>& files) {
    int64_t bytes = 0;
    for (const std::string& pattern : files)
      for (const Path& path : expand_glob(pattern))
        bytes += static_cast<int64_t>(std::filesystem::file_size(path));
    return bytes;
  }
};

}  // namespace

void set_threads(int64_t threads) {
  const int count =
      threads > 0 ? static_cast<int>(threads) : static_cast<int>(std::thread::hardware_concurrency());
  at::set_num_threads(count);
}

bool has_learned_positions(const ModelConfig& config) { return learned_positions(config).has_value(); }

std::shared_ptr<Tokenizer> tokenizer_of(const ModelSource& source) {
  if (!source.tokenizer_name.empty()) return load_tokenizer(source.tokenizer_name);
  // An adapter's directory holds the tokenizer that it was trained with.
  for (const Path directory : {source.adapter_name_or_path, source.model_name_or_path}) {
    if (directory.empty()) continue;
    for (const char* file : {"tokenizer.model", "tokenizer.json"})
      if (std::filesystem::exists(directory / file)) return load_tokenizer(directory);
  }
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
                                             const Task& task, const TargetSources& sources) {
  if (options.train_file.empty() && options.mixture.empty())
    fail_usage("train_file", "expected one or more files, or a mixture, given none");
  BatchOptions batch = batch_options(options, tokenizer, config);
  if (options.val_size > 0) batch.split = DataSplit::train;
  if (messages && tokenizer && options.append_eos && !task.reads_rows() && !end_of_text(tokenizer, config))
    messages("note: neither the tokenizer nor config.json names an end of text (eos), so documents get none");
  const DataOpener open{options, tokenizer, config, messages, task, sources.fill, &sources.target};
  std::unique_ptr<BatchSource> rows;
  if (options.mixture.empty())
    rows = open.rows(options.train_file, batch);
  else
    rows = open.mixture(batch);
  rows = open.drawn(std::move(rows));
  rows = std::make_unique<EpochUpdates>(std::move(rows), options.gradient_accumulation_steps);
  if (options.processes > 1) rows = std::make_unique<RankSource>(std::move(rows), share_of(options));
  // Batches that were made ahead would not follow the weights that their mixture has learned meanwhile.
  if (options.dataloader_num_workers == 0 || options.mixture_learning != "none") return rows;
  // A stream has worker threads of its own, so one thread that fetches its batches ahead is enough.
  return std::make_unique<PrefetchSource>(std::move(rows),
                                          options.streaming ? 1 : options.dataloader_num_workers);
}

std::unique_ptr<BatchSource> open_eval_data(const DataOptions& options, const Tokenizer* tokenizer,
                                            const ModelConfig& config, const DataMessages& messages,
                                            const Task& task, const FillRows& fill) {
  const DataOpener open{options, tokenizer, config, messages, task, fill};
  if (!options.eval_file.empty()) return open.evaluation(options.eval_file, /*held_out=*/false);
  if (options.val_size > 0 && options.mixture.empty()) return open.evaluation(options.train_file, true);
  return nullptr;
}

EvalData open_eval_parts(const DataOptions& options, const Tokenizer* tokenizer, const ModelConfig& config,
                         const DataMessages& messages, const Task& task, const FillRows& fill) {
  EvalData data;
  data.main = open_eval_data(options, tokenizer, config, messages, task, fill);
  if (options.mixture.empty()) return data;
  const DataOpener open{options, tokenizer, config, messages, task, fill};
  for (const MixtureItem& item : parse_mixture(options.mixture)) {
    const bool held_out = item.eval_files.empty();
    if (held_out && !(options.val_size > 0)) continue;
    data.sources.push_back({item.name, open.evaluation(held_out ? item.files : item.eval_files, held_out)});
  }
  return data;
}

std::vector<std::string> train_files(const DataOptions& options) {
  if (options.mixture.empty()) return options.train_file;
  std::vector<std::string> files;
  for (const MixtureItem& item : parse_mixture(options.mixture))
    files.insert(files.end(), item.files.begin(), item.files.end());
  return files;
}

bool has_eval_data(const DataOptions& options) {
  if (!options.eval_file.empty() || options.val_size > 0) return true;
  if (options.mixture.empty()) return false;
  const auto items = parse_mixture(options.mixture);
  return std::any_of(items.begin(), items.end(),
                     [](const MixtureItem& item) { return !item.eval_files.empty(); });
}

std::vector<MetricKind> eval_metrics(const DataOptions& options, const Task& task) {
  std::vector<MetricKind> metrics = task.metrics();
  if (options.mixture.empty()) return metrics;
  for (const MixtureItem& item : parse_mixture(options.mixture))
    if (!item.eval_files.empty() || options.val_size > 0) metrics.push_back(mixture_loss_metric(item.name));
  return metrics;
}

std::unique_ptr<BatchSource> open_rows_to_score(const std::vector<std::string>& files,
                                                const DataOptions& options, const RowEncoding& encoding,
                                                const Task& task) {
  BatchOptions batch = batch_options(options, encoding.tokenizer, encoding.config);
  batch.rows = options.per_device_eval_batch_size;
  batch.evaluation = true;
  batch.val_size = 0, batch.max_samples = 0;
  batch.make_targets = task.make_targets({});
  return open_rows(files, options, encoding, batch, {task, {}}, {});
}

}  // namespace galore
