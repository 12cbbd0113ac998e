#include "tokenizer/byte_level_training.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/errors.h"
#include "core/test_folder.h"
#include "tokenizer/models/bpe_trainer.h"
#include "tokenizer/tokenizer.h"

namespace galore {
namespace {

using Json = nlohmann::json;

class ByteLevelTrainingTest : public testing::Test {
 protected:
  void SetUp() override {
    stored_ = Json::parse(read_file(Path(GALORE_TESTDATA) / "trained_bpe.json"));
    write_file_atomically(folder_ / "text.txt", stored_["text"].get<std::string>());
    options_.inputs = {folder_ / "text.txt"};
    options_.output = folder_ / "out";
    options_.vocab_size = static_cast<int64_t>(stored_["model"]["vocab"].size());
  }
  std::string written() const { return read_file(options_.output / "tokenizer.json"); }

  TestFolder folder_;
  Json stored_;
  TokenizerTrainingOptions options_;
};

TEST_F(ByteLevelTrainingTest, LearnsWhatThePythonPackageLearns) {
  train_byte_level(options_);
  const Json model = Json::parse(written())["model"];
  EXPECT_EQ(model["vocab"], stored_["model"]["vocab"]);
  EXPECT_EQ(model["merges"], stored_["model"]["merges"]);
}

TEST_F(ByteLevelTrainingTest, GivesALoadableTokenizerTwiceTheSame) {
  options_.add_eos_token = true;
  train_byte_level(options_);
  const std::string first = written();
  train_byte_level(options_);
  EXPECT_EQ(first, written());
  const auto tokenizer = load_tokenizer(options_.output);
  EXPECT_EQ(tokenizer->vocab_size(), options_.vocab_size);
  EXPECT_EQ(tokenizer->bos_id(), 0);
  EXPECT_EQ(tokenizer->eos_id(), 1);
  const std::string text = "  First\tcitizen \u4f60 \U0001f600 2024\n";
  const auto ids = tokenizer->encode(text, true);
  EXPECT_EQ(ids.front(), 0);
  EXPECT_EQ(ids.back(), 1);
  EXPECT_EQ(tokenizer->decode(ids, true), text);
}

TEST_F(ByteLevelTrainingTest, DigitsStandAloneOrInThrees) {
  write_file_atomically(folder_ / "text.txt", "1234 1234 1234 1234\n");
  options_.vocab_size = 259;
  EXPECT_THROW(train_byte_level(options_), Error) << "no pair is left to merge";
  options_.split_digits = false;
  train_byte_level(options_);
  EXPECT_EQ(load_tokenizer(options_.output)->encode("1234", false).size(), 3);
}

TEST(BpeTrainer, ManyPairsWithOneRightSymbolFitInMemory) {
  constexpr int32_t kLeft = 40000;
  BpeTrainer trainer(kLeft + 1);
  for (int32_t left = 1; left <= kLeft; ++left) trainer.add_word({left, 0}, 1);
  const auto merges = trainer.learn(kLeft + 2, 1);
  ASSERT_EQ(merges.size(), 1U);
  EXPECT_EQ(merges[0].left, 1);
  EXPECT_EQ(merges[0].right, 0);
}

TEST_F(ByteLevelTrainingTest, ImpossibleVocabulariesAreErrors) {
  for (const int64_t size : {int64_t{200}, int64_t{50000}}) {
    options_.vocab_size = size;
    std::string message;
    try {
      train_byte_level(options_);
    } catch (const Error& error) {
      message = error.what();
    }
    EXPECT_NE(message.find(fmt::format("given {}", size)), std::string::npos) << message;
    EXPECT_FALSE(std::filesystem::exists(options_.output));
  }
  write_file_atomically(folder_ / "text.txt", "");
  EXPECT_THROW(train_byte_level(options_), Error);
}

}  // namespace
}  // namespace galore
