#include "tokenizer/pipeline.h"

#include <algorithm>

#include "core/errors.h"
#include "tokenizer/byte_level_alphabet.h"
#include "tokenizer/text_repair.h"
#include "tokenizer/unicode/code_points.h"
#include "tokenizer/word_start.h"

namespace galore {

Pipeline::Pipeline(Stages stages) : stages_(std::move(stages)) {
  stages_.added.build(stages_.normalizer.get());
  bytes_are_plain_ = stages_.pre_tokenizer && stages_.pre_tokenizer->leave_bytes_plain();
  by_words_ = !bytes_are_plain_ && stages_.model->words_are_independent(kWordStart);
  vocab_size_ = std::max(stages_.model->vocabulary().largest_id(), stages_.added.largest_id()) + 1;
}

// Encodes the pieces of one text and keeps the ids of words in the cache.
class Pipeline::Encoder : public PieceSink {
 public:
  Encoder(const Pipeline& pipeline, WordCache& cache, std::vector<int32_t>& ids)
      : pipeline_(pipeline), cache_(cache), ids_(ids) {}

  void encode(std::string_view text) {
    pipeline_.stages_.added.split(text, /*normalized=*/false, [&](const AddedVocabulary::Stretch& stretch) {
      if (stretch.id >= 0)
        ids_.push_back(stretch.id);
      else
        encode_raw(stretch);
    });
  }

  void take(const TextPiece& piece) override {
    if (!pipeline_.by_words_ || piece.text.size() <= WordCache::kLongestWord) return encode_piece(piece.text);
    encode_words(piece.text);
  }

 private:
  void encode_raw(const AddedVocabulary::Stretch& stretch) {
    const Normalizer* normalizer = pipeline_.stages_.normalizer.get();
    const bool at_origin = stretch.begin == 0;
    if (!normalizer) return encode_normalized({stretch.text, at_origin ? first_bytes(stretch.text) : 0});
    NormalizedText text{std::string(stretch.text), at_origin};
    normalizer->normalize(text);
    const size_t origin_bytes = text.at_origin ? normalized_first_bytes(stretch.text, text.text) : 0;
    encode_normalized({text.text, origin_bytes});
  }

  static size_t first_bytes(std::string_view text) { return text.empty() ? 0 : first_code_point(text).bytes; }

  // The text begins with the normal form of its first character, unless the character was composed with the
  // next one.
  size_t normalized_first_bytes(std::string_view before, std::string_view after) const {
    NormalizedText first{std::string(before.substr(0, first_bytes(before)))};
    pipeline_.stages_.normalizer->normalize(first);
    return after.starts_with(first.text) ? first.text.size() : first_bytes(after);
  }

  void encode_normalized(const TextPiece& whole) {
    pipeline_.stages_.added.split(
        whole.text, /*normalized=*/true, [&](const AddedVocabulary::Stretch& stretch) {
          if (stretch.id >= 0) return ids_.push_back(stretch.id);
          const TextPiece piece = whole.part(stretch.begin, stretch.begin + stretch.text.size());
          if (pipeline_.stages_.pre_tokenizer)
            pipeline_.stages_.pre_tokenizer->split(piece, *this);
          else
            take(piece);
        });
  }

  // A word begins with word starts and reaches to the next word start.
  void encode_words(std::string_view text) {
    for (size_t begin = 0; begin < text.size();) {
      size_t inside = begin;
      while (text.substr(inside).starts_with(kWordStart)) inside += kWordStart.size();
      const size_t end = std::min(text.find(kWordStart, inside), text.size());
      encode_piece(text.substr(begin, end - begin));
      begin = end;
    }
  }

  void encode_piece(std::string_view piece) {
    if (cache_.append(piece, ids_)) return;
    const size_t before = ids_.size();
    if (pipeline_.bytes_are_plain_) {
      visible_.clear();
      append_byte_level(visible_, piece);
      pipeline_.stages_.model->encode(visible_, ids_);
    } else {
      pipeline_.stages_.model->encode(piece, ids_);
    }
    cache_.insert(piece, std::span<const int32_t>(ids_).subspan(before));
  }

  const Pipeline& pipeline_;
  WordCache& cache_;
  std::vector<int32_t>& ids_;
  std::string visible_;
};

IdSequence Pipeline::encode_text(std::string_view text, int32_t type_id) const {
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = lossy_utf8(text);
  IdSequence sequence;
  sequence.ids.reserve(text.size() / 4 + 4);
  const WordCaches::Lease cache(caches_);
  Encoder(*this, *cache, sequence.ids).encode(text);
  sequence.type_ids.assign(sequence.ids.size(), type_id);
  return sequence;
}

IdSequence Pipeline::encode(std::string_view text, const std::string_view* second, bool add_special_tokens,
                            const Truncation* truncation) const {
  std::vector<IdSequence> sequences;
  sequences.push_back(encode_text(text, 0));
  if (second) sequences.push_back(encode_text(*second, 1));
  if (!truncation && stages_.truncation) truncation = &*stages_.truncation;
  if (truncation) truncate(sequences, add_special_tokens, *truncation);
  if (stages_.post_processor) stages_.post_processor->process(sequences, add_special_tokens);
  IdSequence all;
  for (IdSequence& sequence : sequences) {
    if (all.ids.empty()) {
      all = std::move(sequence);
      continue;
    }
    all.ids.insert(all.ids.end(), sequence.ids.begin(), sequence.ids.end());
    all.type_ids.insert(all.type_ids.end(), sequence.type_ids.begin(), sequence.type_ids.end());
  }
  pad(all);
  return all;
}

void Pipeline::truncate(std::vector<IdSequence>& sequences, bool add_special_tokens,
                        const Truncation& rule) const {
  const bool pair = sequences.size() > 1;
  const int64_t added =
      add_special_tokens && stages_.post_processor ? stages_.post_processor->num_added(pair) : 0;
  const int64_t limit = std::max<int64_t>(0, rule.max_length - added);
  const auto size = [&](size_t i) {
    return i < sequences.size() ? static_cast<int64_t>(sequences[i].ids.size()) : 0;
  };
  const int64_t total = size(0) + size(1);
  if (total <= limit) return;
  std::array<int64_t, 2> keep = {size(0), size(1)};
  if (rule.strategy == Truncation::Strategy::longest_first && pair) {
    const bool first_is_shorter = size(0) <= size(1);
    int64_t shorter = std::min(size(0), size(1)), longer = std::max(size(0), size(1));
    longer = shorter > limit ? shorter : std::max(shorter, limit - shorter);
    if (shorter + longer > limit) shorter = limit / 2, longer = shorter + limit % 2;
    keep = first_is_shorter ? std::array{shorter, longer} : std::array{longer, shorter};
  } else {
    const size_t target = rule.strategy == Truncation::Strategy::only_second && pair ? 1 : 0;
    keep[target] = std::max<int64_t>(0, size(target) - (total - limit));
  }
  for (size_t i = 0; i < sequences.size(); ++i)
    for (std::vector<int32_t>* list : {&sequences[i].ids, &sequences[i].type_ids}) {
      const int64_t surplus = static_cast<int64_t>(list->size()) - keep[i];
      if (surplus <= 0) continue;
      list->erase(rule.left ? list->begin() : list->end() - surplus,
                  rule.left ? list->begin() + surplus : list->end());
    }
}

void Pipeline::pad(IdSequence& sequence) const {
  if (!stages_.padding) return;
  const Padding& rule = *stages_.padding;
  const auto size = static_cast<int64_t>(sequence.ids.size());
  int64_t length = rule.length > 0 ? rule.length : size;
  if (rule.multiple > 0 && length % rule.multiple > 0) length += rule.multiple - length % rule.multiple;
  if (length <= size) return;
  const auto count = static_cast<size_t>(length - size);
  sequence.ids.insert(rule.left ? sequence.ids.begin() : sequence.ids.end(), count, rule.id);
  sequence.type_ids.insert(rule.left ? sequence.type_ids.begin() : sequence.type_ids.end(), count,
                           rule.type_id);
}

std::optional<int32_t> Pipeline::id_of(const std::string& token) const {
  if (const auto id = stages_.added.id_of(token)) return id;
  const int32_t id = stages_.model->vocabulary().id_of(token);
  return id < 0 ? std::nullopt : std::optional(id);
}

std::string Pipeline::decode(const std::vector<int32_t>& ids, bool skip_special) const {
  std::vector<std::string> tokens;
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size_)
      fail("tokenizer", "decode: expected ids from 0 to {}, given {}", vocab_size_ - 1, id);
    if (const std::string* added = stages_.added.decoded(id)) {
      if (!skip_special || !stages_.added.is_special(*added)) tokens.push_back(*added);
    } else if (const auto token = stages_.model->vocabulary().token_of(id)) {
      if (!skip_special || !stages_.added.is_special(std::string(*token))) tokens.emplace_back(*token);
    }
  }
  if (stages_.decoder) stages_.decoder->decode(tokens);
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) text += (i > 0 && !stages_.decoder ? " " : "") + tokens[i];
  return text;
}

}  // namespace galore
