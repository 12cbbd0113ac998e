#include "tokenizer/byte_level_training.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/errors.h"
#include "tokenizer/byte_level_alphabet.h"
#include "tokenizer/line_sample.h"
#include "tokenizer/models/bpe_trainer.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"
#include "tokenizer/text_lines.h"
#include "tokenizer/text_repair.h"
#include "tokenizer/written_tokenizer.h"

namespace galore {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::array kSpecial = {"<|begin_of_text|>", "<|end_of_text|>"};
constexpr int32_t kFirstByte = kSpecial.size(), kFirstMerge = kFirstByte + 256;

// Returns Llama 3's pattern. `digits` is the quantifier that bounds a run of digits.
std::string word_pattern(const char* digits) {
  return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})" + std::string(digits) +
         R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

OrderedJson pre_tokenizer_json(const TokenizerTrainingOptions& options) {
  const OrderedJson split = {{"type", "Split"},
                             {"pattern", {{"Regex", word_pattern(options.split_digits ? "" : "{1,3}")}}},
                             {"behavior", "Isolated"},
                             {"invert", false}};
  const OrderedJson bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  return {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}};
}

// Numbers the bytes in the order of the characters that stand for them, as the Python package does.
struct ByteIds {
  std::array<int32_t, 256> id_of{};
  std::array<std::string, 256> texts;  // texts[i] has the id kFirstByte + i

  ByteIds() {
    int32_t next = 0;
    for (char32_t c = 0; c < 512; ++c) {
      const int byte = byte_of_character(c);
      if (byte < 0) continue;
      texts[static_cast<size_t>(next)] = byte_level_character(static_cast<unsigned char>(byte));
      id_of[static_cast<size_t>(byte)] = kFirstByte + next++;
    }
  }
};

class WordCounter : public PieceSink {
 public:
  void take(const TextPiece& piece) override { ++counts_[std::string(piece.text)]; }
  const tsl::robin_map<std::string, int64_t>& counts() const { return counts_; }

 private:
  tsl::robin_map<std::string, int64_t> counts_;
};

// Calls action for every line, including its line end, or for a random sample of lines when max_sentences is
// set.
template <typename Action>
void for_each_line(const TokenizerTrainingOptions& options, Action action) {
  LineSample sample(static_cast<size_t>(options.max_sentences), options.seed);
  for (const Path& path : options.inputs) {
    const auto lines = options.open(path);
    for (std::string line; lines->next(line);) {
      if (lines->had_line_end()) line += '\n';
      if (options.max_sentences > 0)
        sample.offer(line);
      else
        action(line);
    }
  }
  for (const std::string& line : sample.take()) action(line);
}

BpeTrainer count_words(const TokenizerTrainingOptions& options, const ByteIds& bytes) {
  const auto pre_tokenizer = make_pre_tokenizer(nlohmann::json(pre_tokenizer_json(options)), kTrainTokenizer);
  pre_tokenizer->leave_bytes_plain();
  WordCounter words;
  for_each_line(options, [&](const std::string& line) { pre_tokenizer->split({line, true}, words); });
  if (words.counts().empty())
    fail(kTrainTokenizer, "the input files hold no text, the first is {}", options.inputs[0].string());
  BpeTrainer trainer(kFirstMerge);
  // Words are added in sorted order because the order of the hash table is not defined.
  std::vector<std::pair<std::string, int64_t>> sorted(words.counts().begin(), words.counts().end());
  std::sort(sorted.begin(), sorted.end());
  for (const auto& [word, count] : sorted) {
    std::vector<int32_t> symbols;
    for (const char byte : word) symbols.push_back(bytes.id_of[static_cast<unsigned char>(byte)]);
    trainer.add_word(std::move(symbols), count);
  }
  return trainer;
}

OrderedJson model_json(const ByteIds& bytes, const std::vector<LearnedMerge>& merges) {
  std::vector<std::string> texts(kSpecial.begin(), kSpecial.end());
  texts.insert(texts.end(), bytes.texts.begin(), bytes.texts.end());
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const LearnedMerge& merge : merges) {
    pairs.emplace_back(texts[static_cast<size_t>(merge.left)], texts[static_cast<size_t>(merge.right)]);
    texts.push_back(pairs.back().first + pairs.back().second);
  }
  return bpe_json(texts, pairs);
}

void write_byte_level(const TokenizerTrainingOptions& options, const OrderedJson& model) {
  const WrittenTokens tokens{{{kSpecial[0], 0}, {kSpecial[1], 1}}, 0, 1};
  const OrderedJson decoder = {
      {"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  const OrderedJson tokenizer =
      tokenizer_json(options, tokens, {nullptr, pre_tokenizer_json(options), decoder, model});
  make_training_folder(options);
  write_file_atomically(options.output / "tokenizer_config.json",
                        tokenizer_config_json(options, tokens).dump(2) + "\n");
  write_file_atomically(options.output / "tokenizer.json", tokenizer.dump(2) + "\n");
}

void check_byte_level_options(const TokenizerTrainingOptions& options) {
  check_training_files(options);
  if (options.vocab_size < kFirstMerge || options.vocab_size > (1 << 24))
    fail_usage(
        kTrainTokenizer,
        "vocab_size: expected {} to 16777216 (256 bytes and two special tokens are always in), given {}",
        kFirstMerge, options.vocab_size);
}

}  // namespace

void train_byte_level(const TokenizerTrainingOptions& options, const TrainingMessages& sink) {
  check_byte_level_options(options);
  const ByteIds bytes;
  BpeTrainer trainer = count_words(options, bytes);
  if (sink) sink(fmt::format("training {} ids on {} file(s)", options.vocab_size, options.inputs.size()));
  const std::vector<LearnedMerge> merges = trainer.learn(options.vocab_size, options.min_frequency);
  const int64_t most = kFirstMerge + static_cast<int64_t>(merges.size());
  if (most < options.vocab_size)
    fail(kTrainTokenizer,
         "vocab_size: this text gives at most {} ids with min_frequency {}, given {}; give more text or "
         "smaller numbers",
         most, options.min_frequency, options.vocab_size);
  write_byte_level(options, model_json(bytes, merges));
  if (sink) sink(fmt::format("wrote {}", (options.output / "tokenizer.json").string()));
}

}  // namespace galore
