#include "cli/tokenize_command.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/train_tokenizer_command.h"
#include "core/errors.h"
#include "core/files.h"
#include "core/test_folder.h"
#include "data/token_file.h"
#include "tokenizer/tokenizer.h"

namespace galore {
namespace {

class TokenizeCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 300; ++i) text += fmt::format("Row {} of rain, mercy and \u00e9t\u00e9.\n", i);
    write_file_atomically(folder_ / "text.txt", text);
    testing::internal::CaptureStdout();
    EXPECT_EQ(train_tokenizer_command({"--input", at("text.txt"), "--vocab-size=300", "--output", at("tok")}),
              0);
  }
  void TearDown() override { testing::internal::GetCapturedStdout(); }
  std::string at(const std::string& name) { return (folder_ / name).string(); }
  int run(const std::string& input, const std::string& output, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"--tokenizer_name", at("tok"),  "--input",
                                          at(input),          "--output", at(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return tokenize_command(arguments);
  }

  TestFolder folder_;
};

TEST_F(TokenizeCommandTest, RowsGoThereAndBack) {
  const std::string rows =
      "{\"text\": \"  rain\\n\\\"mercy\\\" \u00e9\"}\n{\"text\": \"\"}\n{\"text\": \"\u4f60\"}\n";
  write_file_atomically(folder_ / "rows.jsonl", rows);
  EXPECT_EQ(run("rows.jsonl", "ids.jsonl"), 0);
  EXPECT_EQ(run("ids.jsonl", "back.jsonl", {"--decode", "--skip_special_tokens"}), 0);
  EXPECT_EQ(read_file(folder_ / "back.jsonl"), rows);
}

TEST_F(TokenizeCommandTest, ConversationsGetLabels) {
  write_file_atomically(
      folder_ / "template.jinja",
      "{% for m in messages %}{{ m.role }}:{% generation %}{{ m.content }}{% endgeneration %}\n{% endfor %}");
  write_file_atomically(folder_ / "rows.jsonl",
                        "{\"messages\": [{\"role\": \"user\", \"content\": \"Row of rain\"}]}\n");
  const std::vector<std::string> chat{"--apply_chat_template", "--chat_template", at("template.jinja")};
  EXPECT_EQ(run("rows.jsonl", "ids.jsonl", chat), 0);
  EXPECT_EQ(read_file(folder_ / "ids.jsonl").find("labels"), std::string::npos);
  EXPECT_EQ(run("ids.jsonl", "back.jsonl", {"--decode"}), 0);
  EXPECT_EQ(read_file(folder_ / "back.jsonl"), "{\"text\": \"user:Row of rain\"}\n");
  std::vector<std::string> masked = chat;
  masked.push_back("--assistant_only_loss");
  EXPECT_EQ(run("rows.jsonl", "labels.jsonl", masked), 0);
  const auto row = nlohmann::json::parse(read_file(folder_ / "labels.jsonl"));
  std::vector<int32_t> trained;
  for (const int32_t label : row.at("labels"))
    if (label != -100) trained.push_back(label);
  EXPECT_LT(trained.size(), row.at("input_ids").size());
  EXPECT_NE(load_tokenizer(at("tok"))->decode(trained, false).find("Row of rain"), std::string::npos);
  EXPECT_THROW(run("rows.jsonl", "x.jsonl", {"--assistant_only_loss"}), UsageError);
}

TEST_F(TokenizeCommandTest, EveryRowGivesARow) {
  write_file_atomically(folder_ / "rows.jsonl", "{\"text\": \"\"}\n{\"input_ids\": []}\n{\"text\": \"\"}\n");
  EXPECT_EQ(run("rows.jsonl", "ids.jsonl"), 0);
  const std::string bos = "{\"input_ids\": [1]}\n", none = "{\"input_ids\": []}\n";
  EXPECT_EQ(read_file(folder_ / "ids.jsonl"), bos + none + bos);
  EXPECT_EQ(run("rows.jsonl", "plain.jsonl", {"--add_special_tokens=false"}), 0);
  EXPECT_EQ(read_file(folder_ / "plain.jsonl"), none + none + none);
  EXPECT_EQ(run("ids.jsonl", "back.jsonl", {"--decode"}), 0);
  EXPECT_EQ(read_file(folder_ / "back.jsonl"),
            "{\"text\": \"<s>\"}\n{\"text\": \"\"}\n{\"text\": \"<s>\"}\n");
}

TEST_F(TokenizeCommandTest, TextsInOtherEncodingsAreConverted) {
  write_file_atomically(folder_ / "latin.txt", "\xe9t\xe9");
  EXPECT_EQ(run("latin.txt", "ids.jsonl", {"--encoding=latin-1"}), 0);
  EXPECT_EQ(run("ids.jsonl", "back.jsonl", {"--decode", "--skip_special_tokens"}), 0);
  EXPECT_EQ(read_file(folder_ / "back.jsonl"), "{\"text\": \"\u00e9t\u00e9\"}\n");
  EXPECT_THROW(run("latin.txt", "ids.jsonl"), Error);
}

// Rows on the standard output are all that a pipe behind the command gets.
TEST_F(TokenizeCommandTest, TheSummaryKeepsOutOfRowsOnTheStandardOutput) {
  write_file_atomically(folder_ / "row.txt", "rain");
  testing::internal::GetCapturedStdout();
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(tokenize_command({"--tokenizer_name", at("tok"), "--input", at("row.txt"), "--output",
                              "/dev/stdout", "--json"}),
            0);
  const std::string rows = testing::internal::GetCapturedStdout();
  testing::internal::CaptureStdout();
  EXPECT_TRUE(rows.starts_with("{\"input_ids\": [") && rows.ends_with("]}\n")) << rows;
  EXPECT_NE(testing::internal::GetCapturedStderr().find("\"documents\":1"), std::string::npos);
}

TEST_F(TokenizeCommandTest, EmptyLinesAreRowsWhereLinesAreDocuments) {
  write_file_atomically(folder_ / "lines.txt", "\nrain\n\n \nrain");
  EXPECT_EQ(run("lines.txt", "ids.jsonl", {"--text_documents=line"}), 0);
  EXPECT_EQ(run("ids.jsonl", "back.jsonl", {"--decode", "--skip_special_tokens"}), 0);
  std::string expected;
  for (const char* line : {"", "rain", "", " ", "rain"})
    expected += std::string("{\"text\": \"") + line + "\"}\n";
  EXPECT_EQ(read_file(folder_ / "back.jsonl"), expected);
}

TEST_F(TokenizeCommandTest, ShardsHoldTheDocumentsEndedByEos) {
  EXPECT_EQ(run("text.txt", "a.bin", {"--text_documents", "line"}), 0);
  EXPECT_EQ(run("text.txt", "b.bin", {"--text_documents=line", "--bin_header=false"}), 0);
  const auto shard = TokenFile::open_shard(folder_ / "a.bin"),
             plain = TokenFile::open_shard(folder_ / "b.bin");
  ASSERT_EQ(shard->num_tokens(), plain->num_tokens());
  std::vector<int64_t> ids(static_cast<size_t>(shard->num_tokens())), labels(ids.size()), same(ids.size());
  shard->read(0, shard->num_tokens(), ids.data(), labels.data());
  plain->read(0, plain->num_tokens(), same.data(), labels.data());
  EXPECT_EQ(ids, same);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 2), 300);
  const auto first = load_tokenizer(at("tok"))->encode("Row 0 of rain, mercy and \u00e9t\u00e9.", true);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), ids.begin()));
  EXPECT_FALSE(std::filesystem::exists(at("a.bin.parts")));
}

TEST_F(TokenizeCommandTest, ByteLevelTokenizersGoThereAndBack) {
  EXPECT_EQ(train_tokenizer_command({"--type=byte_level_bpe", "--input", at("text.txt"), "--vocab-size=270",
                                     "--output", at("bpe")}),
            0);
  const std::string rows = "{\"text\": \"  rain\\n\\\"mercy\\\" \u00e9\u4f60\"}\n";
  write_file_atomically(folder_ / "rows.jsonl", rows);
  for (const char* tokenizer : {"bpe", "bpe/tokenizer.json"}) {
    EXPECT_EQ(tokenize_command({"--tokenizer_name", at(tokenizer), "--input", at("rows.jsonl"), "--output",
                                at("ids.jsonl")}),
              0);
    EXPECT_EQ(tokenize_command({"--tokenizer_name", at(tokenizer), "--decode", "--skip_special_tokens",
                                "--input", at("ids.jsonl"), "--output", at("back.jsonl")}),
              0);
    EXPECT_EQ(read_file(folder_ / "back.jsonl"), rows);
  }
}

TEST_F(TokenizeCommandTest, WrongUsageWritesNothing) {
  EXPECT_THROW(tokenize_command({"--input", at("text.txt")}), UsageError);
  EXPECT_THROW(run("text.txt", "x.bin", {"--decode"}), UsageError);
  EXPECT_THROW(run("text.txt", "x.jsonl", {"--decode"}), Error);
  EXPECT_THROW(run("none.txt", "x.jsonl"), Error);
  EXPECT_THROW(
      train_tokenizer_command({"--input", at("text.txt"), "--output", at("t2"), "--vocab_size", "9000"}),
      Error);
  EXPECT_FALSE(std::filesystem::exists(at("x.jsonl")) || std::filesystem::exists(at("x.bin")) ||
               std::filesystem::exists(at("t2")));
}

}  // namespace
}  // namespace galore
