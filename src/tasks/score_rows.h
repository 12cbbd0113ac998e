// The parts that tasks with a score head share: texts to ids, targets of a batch, rows of predictions.
#pragma once

#include "core/batch.h"
#include "data/batch_builder.h"
#include "tasks/task.h"

namespace galore {

struct RowInput {
  std::vector<int64_t> ids;
  std::vector<int64_t> types = {};  // token types; empty: all 0
};

// Returns a row's input: "input_ids" with optional "token_type_ids" (without the tokens that "attention_mask"
// hides), "sentence" or "text", or the pair "sentence1" and "sentence2". It is cut to max_length. A model
// without token types gets none.
RowInput row_input(const TaskRow& row, const RowEncoding& encoding);
// Returns ids given under `key` or encoded from the text under `text_key`. They are cut to max_length.
std::vector<int64_t> ids_of(const TaskRow& row, const std::string& key, const std::string& text_key,
                            const RowEncoding& encoding);
// Returns the position that transformers scores: the first one in encoders, and in decoders the last one
// whose id is not config.pad_token_id.
int64_t scored_position(const std::vector<int64_t>& ids, const ModelConfig& config);
// Returns a row without labels or places.
ExampleRow row_of(RowInput input);

// Returns a batch in which each position (or only the last one of a row) has a target of zeros.
Batch batch_with_targets(const at::Tensor& ids, bool every_position);
// Returns the row of the batch to which each place belongs.
std::vector<int64_t> rows_of_places(const Batch& batch);
// Returns row `index` of a matrix of logits.
std::span<const float> logits_at(const at::Tensor& logits, int64_t index);

}  // namespace galore
