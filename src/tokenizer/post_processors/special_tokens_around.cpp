#include "tokenizer/post_processors/special_tokens_around.h"

#include <algorithm>

namespace galore {
namespace {

void put_around(IdSequence& sequence, int32_t first, int32_t last, int32_t type_id) {
  sequence.ids.insert(sequence.ids.begin(), first);
  sequence.ids.push_back(last);
  sequence.type_ids.assign(sequence.ids.size(), type_id);
}

}  // namespace

void BertPostProcessor::process(std::vector<IdSequence>& sequences, bool add_special_tokens) const {
  if (!add_special_tokens) return;
  put_around(sequences.at(0), begin_, separator_, 0);
  if (sequences.size() > 1) sequences[1].append(separator_, 1);
}

void RobertaPostProcessor::process(std::vector<IdSequence>& sequences, bool add_special_tokens) const {
  for (IdSequence& sequence : sequences) std::fill(sequence.type_ids.begin(), sequence.type_ids.end(), 0);
  if (!add_special_tokens) return;
  put_around(sequences.at(0), begin_, separator_, 0);
  if (sequences.size() > 1) put_around(sequences[1], separator_, separator_, 0);
}

PostProcessorSequence::PostProcessorSequence(const JsonFields& fields) {
  const nlohmann::json& list = fields.array("processors");
  for (size_t i = 0; i < list.size(); ++i)
    parts_.push_back(make_post_processor(list[i], fields.place(fmt::format("processors[{}]", i))));
}

void PostProcessorSequence::process(std::vector<IdSequence>& sequences, bool add_special_tokens) const {
  for (const auto& part : parts_) part->process(sequences, add_special_tokens);
}

int64_t PostProcessorSequence::num_added(bool pair) const {
  int64_t sum = 0;
  for (const auto& part : parts_) sum += part->num_added(pair);
  return sum;
}

}  // namespace galore
