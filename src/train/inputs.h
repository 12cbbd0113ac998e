// From options to a run's tokenizer and data.
#pragma once

#include <memory>
#include <string>

#include "data/batch_source.h"
#include "models/causal_lm.h"
#include "tokenizer/tokenizer.h"
#include "train/train_options.h"

namespace galore {

// The number of threads of the tensor library and of our own kernels; 0: one for each processor.
void set_threads(int64_t threads);

// Whether a table of max_position_embeddings rows limits the length of a sequence.
bool has_learned_positions(const ModelConfig& config);
// Null when neither tokenizer_name nor a model directory with a tokenizer is given: token files need none.
std::shared_ptr<Tokenizer> tokenizer_of(const ModelSource& source);

// The training rows without end, made ahead on other threads. `tokenizer` must outlive them.
std::unique_ptr<BatchSource> open_train_data(const DataOptions& options, const Tokenizer* tokenizer,
                                             const ModelConfig& config, const DataMessages& messages);
// A source that goes once through the evaluation data; null when there are none.
std::unique_ptr<BatchSource> open_eval_data(const DataOptions& options, const Tokenizer* tokenizer,
                                            const ModelConfig& config, const DataMessages& messages);

}  // namespace galore
