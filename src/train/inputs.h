// From options to the things a run is made of: model configuration, tokenizer, data.
#pragma once

#include <memory>
#include <string>

#include "data/batch_source.h"
#include "models/causal_lm.h"
#include "tokenizer/tokenizer.h"
#include "train/train_options.h"

namespace galore {

// 0: all processors. Also of our own kernels.
void set_threads(int64_t threads);

ModelConfig model_config_of(const TrainOptions& options);
// Whether a table of max_position_embeddings rows limits the length of a sequence.
bool has_learned_positions(const ModelConfig& config);
// Null when neither tokenizer_name nor a model directory with a tokenizer is given: token files need none.
std::shared_ptr<Tokenizer> tokenizer_of(const TrainOptions& options);

// The training rows without end, made ahead on other threads. `tokenizer` must outlive them.
std::unique_ptr<BatchSource> open_train_data(const TrainOptions& options, const Tokenizer* tokenizer,
                                             const ModelConfig& config, const DataMessages& messages);
// A source that goes once through the evaluation data; null when there are none.
std::unique_ptr<BatchSource> open_eval_data(const TrainOptions& options, const Tokenizer* tokenizer,
                                            const ModelConfig& config, const DataMessages& messages);

}  // namespace galore
