#include "cli/train_tokenizer_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "core/errors.h"
#include "data/training_text.h"
#include "tokenizer/byte_level_training.h"
#include "tokenizer/sentencepiece_training.h"
#include "tokenizer/tokenizer.h"

namespace galore {
namespace {

void declare(OptionTable& table, TokenizerTrainingOptions& options) {
  table.add("vocab_size", &options.vocab_size, "number of ids, including the special tokens and 256 bytes");
  table.add("character_coverage", &options.character_coverage,
            "sentencepiece: share of the characters that become pieces");
  table
      .add("min_frequency", &options.min_frequency,
           "byte_level_bpe: pairs that occur less often are not merged")
      .range(1, 1e12);
  table.add("max_sentences", &options.max_sentences, "train on a random sample of this many lines; 0: all")
      .range(0, 1e12);
  table.add("split_digits", &options.split_digits, "make every digit a separate piece");
  table.add("add_bos_token", &options.add_bos_token, "value for the tokenizer's configuration");
  table.add("add_eos_token", &options.add_eos_token, "value for the tokenizer's configuration");
  table.add("model_max_length", &options.model_max_length, "value for the tokenizer's configuration; 0: none")
      .range(0, 1e12);
}

// Trains with messages on stderr and returns the number of ids.
int64_t train(const std::string& type, const TokenizerTrainingOptions& options) {
  const auto say = [](const std::string& message) { fmt::print(stderr, "{}\n", message); };
  if (type == "byte_level_bpe")
    train_byte_level(options, say);
  else
    train_sentencepiece(options, say);
  return load_tokenizer(options.output)->vocab_size();
}

}  // namespace

int train_tokenizer_command(const Arguments& arguments) {
  TokenizerTrainingOptions options;
  std::vector<std::string> input;
  std::string output, type = "sentencepiece", encoding = "utf-8";
  int64_t seed = 42;
  bool json = false;
  OptionTable table;
  table.group("Files");
  table.add(
      "input", &input,
      "files or globs, one sentence per line of their text: .txt, rows {\"text\"} in .jsonl, .parquet (if "
      "built in)");
  table.add("encoding", &encoding, "encoding of the files").choices(text_encoding_names());
  table.add("output", &output, "folder for tokenizer.model or tokenizer.json and its configuration");
  table.group("Tokenizer");
  table.add("type", &type, "kind of tokenizer").choices({"sentencepiece", "byte_level_bpe"});
  declare(table, options);
  table.add("seed", &seed, "seed of the sample");
  table.group("Output");
  table.add("json", &json, "print the result as one JSON object");
  if (!parse_arguments("train-tokenizer", table, arguments)) return 0;
  for (const std::string& pattern : input)
    for (const Path& path : expand_glob(pattern)) options.inputs.push_back(path);
  options.open = [&](const Path& path) {
    return open_training_text(path, text_encoding_from_name(encoding));
  };
  options.output = output;
  options.seed = static_cast<uint64_t>(seed);
  const int64_t ids = train(type, options);
  const nlohmann::ordered_json result = {{"output", output}, {"vocab_size", ids}};
  if (json)
    fmt::print("{}\n", result.dump());
  else
    fmt::print("{}: {} ids\n", output, ids);
  return 0;
}

}  // namespace galore
