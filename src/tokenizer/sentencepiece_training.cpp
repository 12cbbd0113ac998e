#include "tokenizer/sentencepiece_training.h"

#include <sentencepiece_trainer.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "core/errors.h"
#include "tokenizer/line_sample.h"
#include "tokenizer/sentencepiece_json.h"
#include "tokenizer/text_lines.h"
#include "tokenizer/text_repair.h"

namespace galore {
namespace {

constexpr size_t kLongestSentence = 4096;  // the library skips sentences above max_sentence_length, 4192

// Returns the largest cut position within the limit: after a blank or, without one, at the start of a
// character.
size_t cut_position(const std::string& line, size_t start) {
  if (line.size() - start <= kLongestSentence) return line.size();
  const size_t limit = start + kLongestSentence;
  const size_t blank = line.rfind(' ', limit);
  if (blank != std::string::npos && blank > start) return blank;
  size_t cut = limit;
  while (cut > start + 1 && (static_cast<unsigned char>(line[cut]) & 0xc0) == 0x80) --cut;
  return cut;
}

// Reads all lines of all files, cut to the library's length.
class SentenceReader {
 public:
  explicit SentenceReader(const TokenizerTrainingOptions& options) : options_(options) {}

  bool next(std::string& sentence) {
    while (cut_ >= line_.size())
      if (!next_line()) return false;
    const size_t end = cut_position(line_, cut_);
    sentence.assign(line_, cut_, end - cut_);
    cut_ = end;
    return true;
  }

 private:
  bool next_line() {
    cut_ = 0;
    while (!lines_ || !lines_->next(line_)) {
      if (next_input_ == options_.inputs.size()) return false;
      lines_ = options_.open(options_.inputs[next_input_++]);
    }
    return true;
  }

  const TokenizerTrainingOptions& options_;
  size_t next_input_ = 0, cut_ = 0;
  std::unique_ptr<TrainingText> lines_;
  std::string line_;
};

class AllLines : public sentencepiece::SentenceIterator {
 public:
  explicit AllLines(const TokenizerTrainingOptions& options) : reader_(options) { AllLines::Next(); }
  bool done() const override { return done_; }
  void Next() override { done_ = !reader_.next(value_); }
  const std::string& value() const override { return value_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  SentenceReader reader_;
  std::string value_;
  bool done_ = false;
};

class SampledLines : public sentencepiece::SentenceIterator {
 public:
  explicit SampledLines(const TokenizerTrainingOptions& options) {
    SentenceReader reader(options);
    LineSample sample(static_cast<size_t>(options.max_sentences), options.seed);
    for (std::string line; reader.next(line);) sample.offer(line);
    lines_ = sample.take();
  }
  bool done() const override { return index_ >= lines_.size(); }
  void Next() override { ++index_; }
  const std::string& value() const override { return lines_[index_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::vector<std::string> lines_;
  size_t index_ = 0;
};

std::unordered_map<std::string, std::string> library_arguments(const TokenizerTrainingOptions& options) {
  return {{"model_type", "bpe"},
          {"vocab_size", std::to_string(options.vocab_size)},
          {"character_coverage", fmt::format("{}", options.character_coverage)},
          {"byte_fallback", "true"},
          {"normalization_rule_name", "identity"},
          {"remove_extra_whitespaces", "false"},
          {"allow_whitespace_only_pieces", "true"},
          {"split_digits", options.split_digits ? "true" : "false"},
          {"unk_id", "0"},
          {"bos_id", "1"},
          {"eos_id", "2"},
          {"pad_id", "-1"},
          {"minloglevel", "4"}};
}

// tokenizer_config.json also says how tokenizer.model alone is read.
void write_sentencepiece(const TokenizerTrainingOptions& options, const std::string& model) {
  const WrittenTokens tokens{{{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}}, 1, 2};
  const WrittenStages stages = sentencepiece_stages(parse_sentencepiece_model(kTrainTokenizer, model));
  nlohmann::ordered_json config = tokenizer_config_json(options, tokens);
  config["unk_token"] = tokens.all[0].text;
  config["add_bos_token"] = options.add_bos_token;
  config["add_eos_token"] = options.add_eos_token;
  config["legacy"] = true;  // every text between special tokens begins with a word start
  make_training_folder(options);
  write_file_atomically(options.output / "tokenizer_config.json", config.dump(2) + "\n");
  write_file_atomically(options.output / "tokenizer.json",
                        tokenizer_json(options, tokens, stages).dump(2) + "\n");
  write_file_atomically(options.output / "tokenizer.model", model);
}

void check_sentencepiece_options(const TokenizerTrainingOptions& options) {
  check_training_files(options);
  if (options.vocab_size < 260 || options.vocab_size > (1 << 24))
    fail_usage(
        kTrainTokenizer,
        "vocab_size: expected 260 to 16777216 (256 bytes and three special tokens are always in), given {}",
        options.vocab_size);
  if (!(options.character_coverage > 0 && options.character_coverage <= 1))
    fail_usage(kTrainTokenizer, "character_coverage: expected above 0 to 1, given {}",
               options.character_coverage);
}

// Returns the number after `words` in the library's message, or "" when it is not there.
std::string number_after(const std::string& message, const std::string& words) {
  const size_t at = message.find(words);
  if (at == std::string::npos) return "";
  const size_t begin = at + words.size();
  return message.substr(begin, message.find_first_not_of("0123456789", begin) - begin);
}

[[noreturn]] void explain(const TokenizerTrainingOptions& options, const std::string& reason) {
  const std::string largest = number_after(reason, "Please set it to a value <= ");
  if (!largest.empty())
    fail(kTrainTokenizer,
         "vocab_size: this text gives at most {} pieces, given {}; give more text or a smaller number",
         largest, options.vocab_size);
  const std::string fixed =
      number_after(reason, "smaller than required_chars. " + std::to_string(options.vocab_size) + " vs ");
  if (reason.find("smaller than required_chars") != std::string::npos)
    fail(kTrainTokenizer,
         "vocab_size: bytes and characters of this text alone take {} pieces, given {}; give a larger number "
         "or a "
         "smaller character_coverage",
         fixed.empty() ? "more" : fixed, options.vocab_size);
  fail(kTrainTokenizer, "the SentencePiece library failed: {}", reason);
}

}  // namespace

void train_sentencepiece(const TokenizerTrainingOptions& options, const TrainingMessages& sink) {
  check_sentencepiece_options(options);
  std::unique_ptr<sentencepiece::SentenceIterator> lines;
  if (options.max_sentences > 0)
    lines = std::make_unique<SampledLines>(options);
  else
    lines = std::make_unique<AllLines>(options);
  if (lines->done())
    fail(kTrainTokenizer, "the input files hold no text, the first is {}", options.inputs[0].string());
  if (sink) sink(fmt::format("training {} pieces on {} file(s)", options.vocab_size, options.inputs.size()));
  std::string model;
  const auto status =
      sentencepiece::SentencePieceTrainer::Train(library_arguments(options), lines.get(), &model);
  if (!status.ok()) explain(options, one_line(status.ToString()));
  write_sentencepiece(options, model);
  if (sink) sink(fmt::format("wrote {}", (options.output / "tokenizer.model").string()));
}

}  // namespace galore
