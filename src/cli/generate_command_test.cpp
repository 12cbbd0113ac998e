// Runs the command with a small model of random weights that always gives the same text.
#include <gtest/gtest.h>

#include <cctype>
#include <nlohmann/json.hpp>
#include <sstream>

#include "checkpoint/hugging_face.h"
#include "cli/commands.h"
#include "core/errors.h"
#include "core/files.h"
#include "core/test_folder.h"
#include "core/test_message.h"
#include "models/causal_lm.h"

namespace galore {
namespace {

using Json = nlohmann::json;

constexpr const char* kConfig = R"({"model_type": "llama", "vocab_size": 30, "hidden_size": 32,
  "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
  "max_position_embeddings": 128, "bos_token_id": 0, "eos_token_id": null, "initializer_range": 0.4, "tie_word_embeddings": false})";

// Returns a tokenizer with one token for each letter, so that it can encode every text.
std::string tokenizer_json() {
  Json vocabulary{{"<s>", 0}, {"</s>", 1}, {"\u2581", 2}, {".", 3}};
  for (char letter = 'a'; letter <= 'z'; ++letter) vocabulary[std::string(1, letter)] = letter - 'a' + 4;
  const Json spaces{{"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "never"}};
  return Json{{"version", "1.0"},
              {"added_tokens", Json::array()},
              {"pre_tokenizer", spaces},
              {"decoder", spaces},
              {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", Json::array()}}}}
      .dump();
}

class GenerateCommandTest : public testing::Test {
 protected:
  GenerateCommandTest() {
    const ModelConfig config = parse_model_config("test", kConfig);
    Ledger ledger(at::kCPU);
    const auto model = make_causal_lm(config, {}, ledger);
    model->initialize(5);
    save_model(folder_ / "model", config, model->parameters(), at::kFloat);
    write_file_atomically(folder_ / "model/tokenizer.json", tokenizer_json());
  }

  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  std::string output(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(),
                     {"--model_name_or_path", at("model"), "--threads=1", "--max_new_tokens=24"});
    testing::internal::CaptureStdout();
    try {
      generate_command(arguments);
    } catch (...) {
      testing::internal::GetCapturedStdout();
      throw;
    }
    return testing::internal::GetCapturedStdout();
  }
  std::vector<Json> rows(std::vector<std::string> arguments) const {
    arguments.push_back("--json");
    std::istringstream lines(output(arguments));
    std::vector<Json> all;
    for (std::string line; std::getline(lines, line);) all.push_back(Json::parse(line));
    return all;
  }
  std::string complaint(const std::vector<std::string>& arguments) const {
    return message_of([&] { output(arguments); });
  }
  // Returns five letters and blanks from the last two thirds of a text that do not occur earlier in it.
  static std::string part_of(const std::string& text) {
    for (size_t i = text.size() / 3; i + 5 <= text.size(); ++i) {
      const std::string part = text.substr(i, 5);
      const bool plain = std::all_of(part.begin(), part.end(), [](char c) {
        return c == ' ' || std::isalpha(static_cast<unsigned char>(c)) != 0;
      });
      if (plain && part.front() != ' ' && part.back() != ' ' && text.find(part) == i) return part;
    }
    ADD_FAILURE() << "no plain part in " << text;
    return "";
  }
  // Expects `stopped` to equal `whole` up to the token that completes `stop`.
  void expect_stopped(const Json& stopped, const Json& whole, const std::string& stop) const {
    const auto ids = stopped.at("output_ids").get<std::vector<int64_t>>(),
               all = whole.at("output_ids").get<std::vector<int64_t>>();
    ASSERT_LT(ids.size(), all.size());
    ASSERT_GT(ids.size(), 1u);
    EXPECT_TRUE(std::equal(ids.begin(), ids.end(), all.begin()));
    EXPECT_NE(stopped.at("text").get<std::string>().find(stop), std::string::npos);
    const auto shorter = rows({"--prompt=row", fmt::format("--max_new_tokens={}", ids.size() - 1)});
    EXPECT_EQ(shorter.at(0).at("text").get<std::string>().find(stop), std::string::npos);
  }

  TestFolder folder_;
};

TEST_F(GenerateCommandTest, StopStringsEndTheText) {
  const Json whole = rows({"--prompt=row"}).at(0);
  EXPECT_EQ(whole.at("output_ids").size(), 24u);
  const std::string stop = part_of(whole.at("text"));
  expect_stopped(rows({"--prompt=row", "--stop_strings=no such text," + stop}).at(0), whole, stop);
  EXPECT_EQ(rows({"--prompt=row", "--stop_strings=no such text"}).at(0), whole);
  EXPECT_EQ(rows({"--prompt=row " + stop, "--stop_strings=" + stop}).at(0).at("output_ids").empty(), false)
      << "the prompt's own do not count";
}

TEST_F(GenerateCommandTest, StopStringsOfTheModelCountUnlessOthersAreGiven) {
  const Json whole = rows({"--prompt=row"}).at(0);
  const std::string stop = part_of(whole.at("text"));
  write_file_atomically(folder_ / "model/generation_config.json", Json{{"stop_strings", {stop}}}.dump());
  expect_stopped(rows({"--prompt=row"}).at(0), whole, stop);
  EXPECT_EQ(rows({"--prompt=row", "--stop_strings=no such text"}).at(0), whole);
}

TEST_F(GenerateCommandTest, AFileHasAPromptALine) {
  write_file_atomically(folder_ / "prompts.txt", "row of rain\n\nmercy as\nfalls");
  const auto all = rows({"--prompt_file", at("prompts.txt")});
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0], rows({"--prompt=row of rain"}).at(0));
  EXPECT_EQ(all[1], rows({"--prompt=mercy as"}).at(0));
  EXPECT_EQ(all[2], rows({"--prompt=falls"}).at(0)) << "the last line needs no end";
  std::string expected;
  for (const auto& [prompt, row] :
       {std::pair("row of rain", all[0]), std::pair("mercy as", all[1]), std::pair("falls", all[2])})
    expected += prompt + row.at("text").get<std::string>() + "\n";
  EXPECT_EQ(output({"--prompt_file", at("prompts.txt")}), expected);
  EXPECT_EQ(rows({"--prompt=falls", "--prompt_file", at("prompts.txt")}).size(), 4u);
}

// A conversation continues the text of all turns before it, although its tokens are kept from turn to turn.
TEST_F(GenerateCommandTest, AConversationKeepsItsTurns) {
  write_file_atomically(folder_ / "model/chat_template.jinja",
                        "{{ bos_token }}{% for m in messages %}{{ m.role[0] }}{{ m.content }}.{% endfor %}"
                        "{% if add_generation_prompt %}a{% endif %}");
  write_file_atomically(folder_ / "turns.txt", "rain\nmercy\n");
  const auto talk =
      rows({"--chat", "--system=be kind", "--prompt_file", at("turns.txt"), "--max_new_tokens=5"});
  ASSERT_EQ(talk.size(), 2u);
  const std::string first = "sbe kind.urain.a";
  EXPECT_EQ(talk[0], rows({"--prompt", first, "--max_new_tokens=5"}).at(0));
  const std::string second = first + talk[0].at("text").get<std::string>() + ".umercy.a";
  EXPECT_EQ(talk[1], rows({"--prompt", second, "--max_new_tokens=5"}).at(0));
  EXPECT_EQ(output({"--chat", "--system=be kind", "--prompt=rain", "--max_new_tokens=5"}),
            talk[0].at("text").get<std::string>() + "\n");
}

TEST_F(GenerateCommandTest, AConversationNeedsATemplate) {
  EXPECT_NE(complaint({"--chat", "--prompt=rain"}).find("no chat template"), std::string::npos);
}

TEST_F(GenerateCommandTest, WhatIsWrongWithThePromptIsSaid) {
  EXPECT_NE(complaint({"--prompt_file", at("none.txt")}).find("none.txt"), std::string::npos);
  const char* expected = "expected --prompt TEXT, --prompt_file FILE or --prompt_ids 1,2,3";
  EXPECT_NE(complaint({}).find(expected), std::string::npos);
  write_file_atomically(folder_ / "empty.txt", "\n\n");
  EXPECT_NE(complaint({"--prompt_file", at("empty.txt")}).find(expected), std::string::npos);
}

// GPT-2 has a table of positions, which has 20 rows here.
TEST_F(GenerateCommandTest, LearnedPositionsLimitTheNewTokens) {
  const ModelConfig config = parse_model_config("test", R"({"model_type": "gpt2", "vocab_size": 30,
    "n_embd": 32, "n_layer": 1, "n_head": 4, "n_positions": 20})");
  Ledger ledger(at::kCPU);
  const auto model = make_causal_lm(config, {}, ledger);
  model->initialize(5);
  save_model(folder_ / "gpt2", config, model->parameters(), at::kFloat);
  const auto generated = [this](std::vector<std::string> more) {
    more.insert(more.begin(), {"--model_name_or_path", at("gpt2"), "--threads=1", "--json"});
    testing::internal::CaptureStdout();
    const std::string said = message_of([&] { generate_command(more); });
    const std::string output = testing::internal::GetCapturedStdout();
    return said.empty() ? std::to_string(Json::parse(output).at("output_ids").size()) : said;
  };
  EXPECT_EQ(generated({"--prompt_ids=1,2,3"}), "17");
  EXPECT_EQ(generated({"--prompt_ids=1,2,3", "--max_new_tokens=17"}), "17");
  EXPECT_EQ(
      generated({"--prompt_ids=1,2,3", "--max_new_tokens=18"}),
      "[max_new_tokens] expected at most 17: the prompt has 3 tokens and the model 20 learned positions "
      "(max_position_embeddings), given 18");
  EXPECT_TRUE(generated({"--prompt_ids=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20"})
                  .starts_with("[max_new_tokens] expected at most 0"));
}

}  // namespace
}  // namespace galore
