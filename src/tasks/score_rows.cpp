#include "tasks/score_rows.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "data/token_check.h"
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

std::vector<int64_t> checked(std::vector<int64_t> ids, const TaskRow& row, const RowEncoding& encoding) {
  if (ids.empty()) fail(row.where, "expected at least one token");
  for (const int64_t id : ids)
    if (!is_id(id, encoding.config.vocab_size))
      fail(row.where, "{}", id_fault(id, encoding.config.vocab_size));
  if (static_cast<int64_t>(ids.size()) > encoding.max_length)
    ids.resize(static_cast<size_t>(encoding.max_length));
  return ids;
}

std::vector<int64_t> wide(const std::vector<int32_t>& ids) { return {ids.begin(), ids.end()}; }

std::vector<int64_t> unmasked(const TaskRow& row) {
  std::vector<int64_t> ids = integers(row, "input_ids"), kept;
  if (!row.values.contains("attention_mask")) return ids;
  const std::vector<int64_t> mask = integers(row, "attention_mask");
  if (mask.size() != ids.size())
    fail(row.where, "expected as many numbers in attention_mask as input_ids, given {} and {}", mask.size(),
         ids.size());
  for (size_t i = 0; i < ids.size(); ++i)
    if (mask[i] != 0) kept.push_back(ids[i]);
  return kept;
}

}  // namespace

std::vector<int64_t> ids_of(const TaskRow& row, const std::string& key, const std::string& text_key,
                            const RowEncoding& encoding) {
  if (row.values.contains(key)) return checked(integers(row, key), row, encoding);
  if (!row.values.contains(text_key)) fail(row.where, "expected '{}' or '{}'", text_key, key);
  return checked(wide(tokenizer_for(row, encoding).encode(text_at(row, text_key), true)), row, encoding);
}

std::vector<int64_t> input_ids(const TaskRow& row, const RowEncoding& encoding) {
  if (row.values.contains("input_ids")) return checked(unmasked(row), row, encoding);
  if (row.values.contains("sentence2")) {
    const Tokenizer& tokenizer = tokenizer_for(row, encoding);
    if (!row.values.contains("sentence1")) fail(row.where, "expected 'sentence1' with 'sentence2'");
    return checked(wide(tokenizer
                            .encode_pair(text_at(row, "sentence1"), text_at(row, "sentence2"),
                                         /*add_special_tokens=*/true, encoding.max_length)
                            .ids),
                   row, encoding);
  }
  for (const char* key : {"sentence", "sentence1", "text"})
    if (row.values.contains(key)) return ids_of(row, "input_ids", key, encoding);
  fail(row.where, "expected 'sentence', 'sentence1' and 'sentence2', 'text' or 'input_ids'");
}

int64_t last_position(const std::vector<int64_t>& ids, const ModelConfig& config) {
  const auto last = static_cast<int64_t>(ids.size()) - 1;
  for (int64_t place = last; place >= 0; --place)
    if (ids[static_cast<size_t>(place)] != config.pad_token_id.value_or(-1)) return place;
  return last;
}

ExampleRow row_with_target(std::vector<int64_t> ids, int64_t place, std::vector<double> target) {
  ExampleRow row;
  row.labels.assign(ids.size(), kIgnoredLabel);
  row.ids = std::move(ids);
  row.places = {place};
  row.values = std::move(target);
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
