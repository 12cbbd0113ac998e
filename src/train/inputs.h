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

// Returns an endless source of training rows, which other threads make ahead. `tokenizer` must outlive it.
std::unique_ptr<BatchSource> open_train_data(const DataOptions& options, const Tokenizer* tokenizer,
                                             const ModelConfig& config, const DataMessages& messages,
                                             const Task& task = find_task("causal_lm"),
                                             const FillRows& fill = {});
// Returns a source that goes once through the evaluation data, or null if there are none.
std::unique_ptr<BatchSource> open_eval_data(const DataOptions& options, const Tokenizer* tokenizer,
                                            const ModelConfig& config, const DataMessages& messages,
                                            const Task& task = find_task("causal_lm"),
                                            const FillRows& fill = {});

}  // namespace galore
