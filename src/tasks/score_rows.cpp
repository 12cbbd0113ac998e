#include "tasks/score_rows.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "data/token_check.h"
#include "models/architecture.h"
#include "tokenizer/tokenizer.h"

namespace galore {
namespace {

using Json = nlohmann::json;

std::vector<int64_t> integers(const TaskRow& row, const std::string& key) {
  const Json& list = row.values.at(key);
  if (!list.is_array() || list.empty()) fail(row.where, "{}: expected a list of whole numbers", key);
  std::vector<int64_t> numbers;
  for (const Json& item : list) {
    if (!item.is_number_integer()) fail(row.where, "{}: expected a list of whole numbers", key);
    numbers.push_back(item.get<int64_t>());
  }
  return numbers;
}

std::string text_at(const TaskRow& row, const std::string& key) {
  const Json& value = row.values.at(key);
  if (!value.is_string()) fail(row.where, "{}: expected a string", key);
  return value.get<std::string>();
}

const Tokenizer& tokenizer_for(const TaskRow& row, const RowEncoding& encoding) {
  if (!encoding.tokenizer) fail(row.where, "the row is text, and no tokenizer is given (tokenizer_name)");
  return *encoding.tokenizer;
}

void cut(std::vector<int64_t>& values, int64_t length) {
  if (static_cast<int64_t>(values.size()) > length) values.resize(static_cast<size_t>(length));
}

RowInput checked(RowInput input, const TaskRow& row, const RowEncoding& encoding) {
  const int64_t vocabulary = encoding.config.vocab_size, types = encoding.config.type_vocab_size;
  if (input.ids.empty()) fail(row.where, "expected at least one token");
  for (const int64_t id : input.ids)
    if (!is_id(id, vocabulary)) fail(row.where, "{}", id_fault(id, vocabulary));
  if (types == 0) input.types.clear();
  for (const int64_t type : input.types)
    if (type < 0 || type >= types)
      fail(row.where, "token_type_ids: expected 0 to {}, given {}", types - 1, type);
  cut(input.ids, encoding.max_length);
  cut(input.types, encoding.max_length);
  return input;
}

RowInput wide(const IdSequence& sequence) {
  return {{sequence.ids.begin(), sequence.ids.end()}, {sequence.type_ids.begin(), sequence.type_ids.end()}};
}

// Returns the numbers under `key`, of which there are as many as input_ids, or nothing.
std::vector<int64_t> beside_ids(const TaskRow& row, const std::string& key, size_t count) {
  if (!row.values.contains(key)) return {};
  const std::vector<int64_t> numbers = integers(row, key);
  if (numbers.size() != count)
    fail(row.where, "expected as many numbers in {} as input_ids, given {} and {}", key, numbers.size(),
         count);
  return numbers;
}

RowInput unmasked(const TaskRow& row) {
  const std::vector<int64_t> ids = integers(row, "input_ids"),
                             mask = beside_ids(row, "attention_mask", ids.size()),
                             types = beside_ids(row, "token_type_ids", ids.size());
  RowInput kept;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!mask.empty() && mask[i] == 0) continue;
    kept.ids.push_back(ids[i]);
    if (!types.empty()) kept.types.push_back(types[i]);
  }
  return kept;
}

RowInput encoded(const TaskRow& row, const std::string& key, const RowEncoding& encoding) {
  const Tokenizer& tokenizer = tokenizer_for(row, encoding);
  return checked(wide(tokenizer.encode_row(text_at(row, key), encoding.max_length)), row, encoding);
}

}  // namespace

std::vector<int64_t> ids_of(const TaskRow& row, const std::string& key, const std::string& text_key,
                            const RowEncoding& encoding) {
  if (row.values.contains(key)) return checked({integers(row, key)}, row, encoding).ids;
  if (!row.values.contains(text_key)) fail(row.where, "expected '{}' or '{}'", text_key, key);
  return encoded(row, text_key, encoding).ids;
}

RowInput row_input(const TaskRow& row, const RowEncoding& encoding) {
  if (row.values.contains("input_ids")) return checked(unmasked(row), row, encoding);
  if (row.values.contains("sentence2")) {
    const Tokenizer& tokenizer = tokenizer_for(row, encoding);
    if (!row.values.contains("sentence1")) fail(row.where, "expected 'sentence1' with 'sentence2'");
    return checked(wide(tokenizer.encode_pair(text_at(row, "sentence1"), text_at(row, "sentence2"),
                                              /*add_special_tokens=*/true, encoding.max_length)),
                   row, encoding);
  }
  for (const char* key : {"sentence", "sentence1", "text"})
    if (row.values.contains(key)) return encoded(row, key, encoding);
  fail(row.where, "expected 'sentence', 'sentence1' and 'sentence2', 'text' or 'input_ids'");
}

int64_t scored_position(const std::vector<int64_t>& ids, const ModelConfig& config) {
  if (is_encoder(config)) return 0;
  const auto last = static_cast<int64_t>(ids.size()) - 1;
  for (int64_t place = last; place >= 0; --place)
    if (ids[static_cast<size_t>(place)] != config.pad_token_id.value_or(-1)) return place;
  return last;
}

ExampleRow row_of(RowInput input) {
  ExampleRow row;
  row.ids = std::move(input.ids);
  row.types = std::move(input.types);
  return row;
}

Batch batch_with_targets(const at::Tensor& ids, bool every_position) {
  Batch batch;
  batch.ids = ids;
  const int64_t rows = ids.size(0), length = ids.size(1), count = every_position ? rows * length : rows;
  const int64_t step = every_position ? 1 : length;
  batch.targets.places = at::arange(step - 1, rows * length, step, ids.options());
  batch.targets.values = at::zeros({count, 1}, ids.options().dtype(at::kDouble));
  batch.targets.actions = at::zeros({count}, ids.options());
  batch.targets.count = count;
  return batch;
}

std::vector<int64_t> rows_of_places(const Batch& batch) {
  std::vector<int64_t> rows;
  const int64_t* place = batch.targets.places.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < batch.targets.places.numel(); ++i) rows.push_back(place[i] / batch.length());
  return rows;
}

std::span<const float> logits_at(const at::Tensor& logits, int64_t index) {
  const auto width = static_cast<size_t>(logits.size(1));
  return {logits.const_data_ptr<float>() + static_cast<size_t>(index) * width, width};
}

}  // namespace galore
