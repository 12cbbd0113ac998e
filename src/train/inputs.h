// Opens the tokenizer and the data of a run by its options.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "data/batch_source.h"
#include "models/causal_lm.h"
#include "tasks/task.h"
#include "tokenizer/tokenizer.h"
#include "train/evaluation.h"
#include "train/train_options.h"

namespace galore {

// Sets the number of threads of libtorch and of our kernels; 0: one for each processor.
void set_threads(int64_t threads);

// Returns whether a table of max_position_embeddings rows limits the length of a sequence.
bool has_learned_positions(const ModelConfig& config);
// Returns null if neither tokenizer_name nor a model directory with a tokenizer is given: token files need
// none.
std::shared_ptr<Tokenizer> tokenizer_of(const ModelSource& source);

// Returns the id that ends a document: the tokenizer's eos or, without one, the first eos_token_id that
// config.json or generation_config.json names. Defaults of an architecture do not count.
std::optional<int64_t> end_of_text(const Tokenizer* tokenizer, const ModelConfig& config);

// Sets numbers of examples that only another model knows (reference_scores.h).
using FillRows = std::function<void(std::vector<ExampleRow>& rows)>;

// Where the targets of training rows come from, besides the files.
struct TargetSources {
  TargetOptions target = {};  // with a target network, rewards become transitions (core/batch.h)
  FillRows fill = {};
};

// Returns a source of training rows, which other threads make ahead, unless a mixture learns its weights. It
// is endless unless every source of a mixture ends. `tokenizer` must outlive it.
std::unique_ptr<BatchSource> open_train_data(const DataOptions& options, const Tokenizer* tokenizer,
                                             const ModelConfig& config, const DataMessages& messages,
                                             const Task& task = find_task("causal_lm"),
                                             const TargetSources& sources = {});
// Returns a source that goes once through eval_file or, without a mixture, through the rows that val_size
// holds out. Returns null if there are none.
std::unique_ptr<BatchSource> open_eval_data(const DataOptions& options, const Tokenizer* tokenizer,
                                            const ModelConfig& config, const DataMessages& messages,
                                            const Task& task = find_task("causal_lm"),
                                            const FillRows& fill = {});
// Returns a source that goes once through rows that may lack targets.
std::unique_ptr<BatchSource> open_rows_to_score(const std::vector<std::string>& files,
                                                const DataOptions& options, const RowEncoding& encoding,
                                                const Task& task);

// Returns the data of evaluations: those of open_eval_data(), and the eval_files or held-out rows of each
// source of a mixture.
EvalData open_eval_parts(const DataOptions& options, const Tokenizer* tokenizer, const ModelConfig& config,
                         const DataMessages& messages, const Task& task, const FillRows& fill = {});
// Returns train_file or, with a mixture, the files of all sources.
std::vector<std::string> train_files(const DataOptions& options);
// Returns true if open_eval_parts() finds data.
bool has_eval_data(const DataOptions& options);
// Returns the metrics of an evaluation: those of the task, and the loss of each source that has evaluation
// data.
std::vector<MetricKind> eval_metrics(const DataOptions& options, const Task& task);

}  // namespace galore
