// Runs of a tiny encoder, for tests.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "train/test_run.h"

namespace galore {

inline constexpr const char* kTinyBert =
    R"({"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 64,
  "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
  "max_position_embeddings": 32})";

// A word-level tokenizer with a word for each id of the tiny model.
inline nlohmann::json word_tokenizer() {
  nlohmann::json vocabulary, added = nlohmann::json::array();
  int id = 0;
  for (const std::string special : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    added.push_back({{"id", id},
                     {"content", special},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
    vocabulary[special] = id++;
  }
  for (; id < kTinyVocabulary; ++id) vocabulary["w" + std::to_string(id)] = id;
  return {{"version", "1.0"},
          {"added_tokens", added},
          {"pre_tokenizer", {{"type", "WhitespaceSplit"}}},
          {"post_processor", {{"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}}},
          {"model", {{"type", "WordLevel"}, {"unk_token", "[UNK]"}, {"vocab", vocabulary}}}};
}

class EncoderRun : public TestRun {
 protected:
  EncoderRun() {
    write_file_atomically(folder_ / "bert.json", kTinyBert);
    write_file_atomically(folder_ / "tokenizer.json", word_tokenizer().dump());
    RandomStream random(5, "pairs");
    std::string pairs, texts;
    for (int i = 0; i < 120; ++i) {
      const auto first = 5 + random.below(59), second = 5 + random.below(59);
      const nlohmann::json row{
          {"sentence1", "w" + std::to_string(first)},
          {"sentence2", i % 3 == 0 ? "w7 w" + std::to_string(second) : "w" + std::to_string(second)},
          {"label", first < 34 ? 1 : 0}};
      pairs += row.dump() + "\n";
      std::string text;
      for (const int token : tiny_tokens(12, static_cast<uint64_t>(i)))
        text += "w" + std::to_string(std::max(token, 5)) + " ";
      texts += nlohmann::json({{"text", text}}).dump() + "\n";
    }
    write_file_atomically(folder_ / "pairs.jsonl", pairs);
    write_file_atomically(folder_ / "texts.jsonl", texts);
  }
  Settings with(const Settings& settings, const Settings& more) const {
    const Settings common{"config_name=" + (folder_ / "bert.json").string(),
                          "tokenizer_name=" + (folder_ / "tokenizer.json").string(), "learning_rate=0.003",
                          "max_length=24"};
    return joined(joined(common, settings), more);
  }
  Settings classifier(const Settings& more) const {
    return with({"task=sequence_classification", "train_file=" + (folder_ / "pairs.jsonl").string()}, more);
  }
  Settings masked(const Settings& more) const {
    return with({"task=masked_lm", "train_file=" + (folder_ / "texts.jsonl").string()}, more);
  }
};

}  // namespace galore
