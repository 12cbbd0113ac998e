#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/errors.h"
#include "core/test_folder.h"
#include "tokenizer/sentencepiece_model.h"
#include "tokenizer/sentencepiece_training.h"
#include "tokenizer/test_data.h"
#include "tokenizer/text_repair.h"

namespace galore {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<int32_t>;

using testing_tokenizer::testdata;

class TokenizerTest : public testing::Test {
 protected:
  void use_model(const std::string& bytes, const std::string& config) {
    // The files are not flushed to disk because the tests write hundreds of them.
    std::ofstream(folder_ / "tokenizer.model", std::ios::binary) << bytes;
    std::ofstream(folder_ / "tokenizer_config.json") << config;
  }
  std::string message_of_loading() {
    try {
      load_tokenizer(folder_.path());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  TestFolder folder_;
  const std::string small_ = read_file(testdata() / "small.model");
};

Json vectors() { return Json::parse(read_file(testdata() / "vectors.json")); }

std::optional<int64_t> optional_id(const Json& value) {
  return value.is_null() ? std::nullopt : std::optional<int64_t>(value.get<int64_t>());
}

TEST_F(TokenizerTest, EqualsTransformers) {
  int compared = 0;
  const Json stored = vectors();
  for (const Json& set : stored["transformers"]) {
    SCOPED_TRACE(set["name"].dump());
    use_model(small_, set["config"].dump());
    const auto tokenizer = load_tokenizer(folder_.path());
    EXPECT_EQ(tokenizer->vocab_size(), set["length"].get<int64_t>());
    EXPECT_EQ(tokenizer->bos_id(), optional_id(set["bos"]));
    EXPECT_EQ(tokenizer->eos_id(), optional_id(set["eos"]));
    EXPECT_EQ(tokenizer->pad_id(), optional_id(set["pad"]));
    for (const Json& row : set["rows"]) {
      const std::string text = row["text"];
      const Ids ids = row["ids"], plain = row["plain_ids"];
      SCOPED_TRACE(row["text"].dump());
      EXPECT_EQ(tokenizer->encode(text, true), ids);
      EXPECT_EQ(tokenizer->encode(text, false), plain);
      EXPECT_EQ(tokenizer->encode(text, false), plain) << "from the word cache";
      EXPECT_EQ(tokenizer->decode(ids, false), row["decoded"].get<std::string>());
      EXPECT_EQ(tokenizer->decode(ids, true), row["decoded_plain"].get<std::string>());
      ++compared;
    }
    for (const Json& row : set["decodes"])
      EXPECT_EQ(tokenizer->decode(row["ids"].get<Ids>(), false), row["text"].get<std::string>())
          << row["ids"];
  }
  EXPECT_GT(compared, 100);
}

TEST_F(TokenizerTest, OtherNormalizationsAreTheLibrarys) {
  use_model(read_file(testdata() / "nfkc.model"), R"({"add_bos_token": false})");
  const auto tokenizer = load_tokenizer(folder_.path());
  const Json stored = vectors();
  for (const Json& row : stored["nfkc"])
    EXPECT_EQ(tokenizer->encode(row["text"].get<std::string>(), true), row["ids"].get<Ids>()) << row["text"];
}

TEST_F(TokenizerTest, WordByWordEqualsTheWholeText) {
  const SentencePieceModel model = parse_sentencepiece_model("small.model", small_);
  ASSERT_TRUE(model.identity_normalization() && model.words_are_independent());
  use_model(small_, R"({"add_bos_token": false})");
  const auto tokenizer = load_tokenizer(folder_.path());
  const std::string line = "ROMEO:  But, soft!\n what light\u2581through\u2581 yonder window breaks? ";
  std::string text;
  for (int i = 0; i < 50; ++i) text += line;
  // A stretch between special tokens begins with a new word start, so the ids of a doubled text are not the
  // doubled ids. Decoding is exact, and the ids of the first words do not depend on the rest.
  const Ids whole = tokenizer->encode(text, false),
            start = tokenizer->encode("ROMEO:  But, soft!\n what", false);
  EXPECT_TRUE(std::equal(start.begin(), start.end(), whole.begin()));
  EXPECT_EQ(tokenizer->decode(whole, false), replace_all(text, "\u2581", " "));
}

TEST_F(TokenizerTest, DamagedModelsAreErrors) {
  const std::string nfkc = read_file(testdata() / "nfkc.model");
  for (const std::string* model : {&small_, &nfkc})
    for (size_t length = 0; length < model->size(); length += 1 + model->size() / 300) {
      use_model(model->substr(0, length), "{}");
      EXPECT_THROW(load_tokenizer(folder_.path()), Error) << length;
    }
  // A file that is cut between two messages is well-formed but lacks its settings.
  size_t end = 0;
  for (int piece = 0; piece < 400; ++piece) end += 2 + static_cast<size_t>(small_[end + 1]);
  ASSERT_EQ(small_[end], '\x0a');
  use_model(small_.substr(0, end), "{}");
  EXPECT_THROW(load_tokenizer(folder_.path()), Error);
  use_model(std::string(5000, '\xa5'), "{}");
  EXPECT_NE(message_of_loading().find("tokenizer.model"), std::string::npos) << message_of_loading();
}

TEST(SentencePieceModel, KnowsWhetherWordsAreIndependent) {
  SentencePieceModel model;
  model.algorithm = SentencePieceAlgorithm::bpe;
  model.pieces = {{"\u2581"}, {"\u2581\u2581a"}, {"b"}};
  EXPECT_TRUE(model.words_are_independent());
  for (const char* crossing : {"a\u2581", "\u2581a\u2581b", "\n ", "a b"}) {
    auto crossed = model;
    crossed.pieces.push_back({crossing});
    EXPECT_FALSE(crossed.words_are_independent()) << crossing;
  }
  model.pieces.erase(model.pieces.begin());
  EXPECT_FALSE(model.words_are_independent()) << "without a piece for the word start";
}

// Any flipped byte gives an Error or a tokenizer that stays within its vocabulary.
TEST_F(TokenizerTest, AlteredModelsDoNotCrash) {
  const std::string nfkc = read_file(testdata() / "nfkc.model");
  for (const std::string* model : {&small_, &nfkc})
    for (size_t at = 0; at < model->size(); at += 1 + model->size() / 400) {
      std::string altered = *model;
      altered[at] = static_cast<char>(altered[at] ^ (1 << (at % 8)));
      use_model(altered, "{}");
      try {
        const auto tokenizer = load_tokenizer(folder_.path());
        for (const int32_t id : tokenizer->encode("na\u00efve \ufb01 <s> caf\u00e9 12\u3000x", true))
          EXPECT_TRUE(id >= 0 && id < tokenizer->vocab_size());
      } catch (const Error&) {
      }
    }
}

TEST_F(TokenizerTest, ConfigurationErrorsNameTheFile) {
  use_model(small_, "{");
  EXPECT_NE(message_of_loading().find("tokenizer_config.json"), std::string::npos);
  use_model(small_, R"({"tokenizer_class": "T5Tokenizer"})");
  EXPECT_NE(message_of_loading().find("T5Tokenizer"), std::string::npos);
  use_model(small_, R"({"add_bos_token": "yes"})");
  EXPECT_NE(message_of_loading().find("add_bos_token"), std::string::npos);
  use_model(small_, R"({"added_tokens_decoder": {"2000000": {"content": "<x>"}}})");
  EXPECT_NE(message_of_loading().find("2000000"), std::string::npos);
  std::filesystem::remove(folder_ / "tokenizer.model");
  write_file_atomically(folder_ / "tokenizer.json", "{}");
  EXPECT_NE(message_of_loading().find("tokenizer.json"), std::string::npos);
}

TEST_F(TokenizerTest, IdsOutsideTheVocabularyAreErrors) {
  use_model(small_, "{}");
  const auto tokenizer = load_tokenizer(folder_.path());
  EXPECT_THROW(tokenizer->decode({static_cast<int32_t>(tokenizer->vocab_size())}, false), Error);
  EXPECT_THROW(tokenizer->decode({-1}, false), Error);
}

TEST_F(TokenizerTest, FingerprintFollowsModelAndConfiguration) {
  use_model(small_, "{}");
  const std::string first = load_tokenizer(folder_.path())->fingerprint();
  EXPECT_EQ(first, load_tokenizer(folder_.path())->fingerprint());
  use_model(small_, R"({"add_eos_token": true})");
  EXPECT_NE(first, load_tokenizer(folder_.path())->fingerprint());
}

class TrainingTest : public TokenizerTest {
 protected:
  TokenizerTrainingOptions options(int64_t vocab_size) {
    TokenizerTrainingOptions options;
    std::string text;
    for (int i = 0; i < 400; ++i)
      text +=
          fmt::format("Line {} speaks of mercy, rain and heaven {}\n", i, std::string(i % 7, 'a' + i % 26));
    text += std::string(20000, 'z') + " " + std::string(9000, 'y');  // longer than the library's limit
    write_file_atomically(folder_ / "text.txt", text);
    options.inputs = {folder_ / "text.txt"};
    options.output = folder_ / "out";
    options.vocab_size = vocab_size;
    return options;
  }
};

TEST_F(TrainingTest, GivesALoadableTokenizerTwiceTheSame) {
  train_sentencepiece(options(400));
  const std::string first = read_file(folder_ / "out" / "tokenizer.model");
  const auto tokenizer = load_tokenizer(folder_ / "out");
  EXPECT_EQ(tokenizer->vocab_size(), 400);
  EXPECT_EQ(tokenizer->bos_id(), 1);
  EXPECT_EQ(tokenizer->eos_id(), 2);
  EXPECT_FALSE(tokenizer->pad_id());
  const std::string text = "  mercy\tand \u4f60 zzzz\n";
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, true), true), text);
  train_sentencepiece(options(400));
  EXPECT_EQ(first, read_file(folder_ / "out" / "tokenizer.model"));
}

TEST_F(TrainingTest, SamplesDeterministically) {
  auto sampled = options(300);
  sampled.max_sentences = 50;
  train_sentencepiece(sampled);
  const std::string first = read_file(folder_ / "out" / "tokenizer.model");
  train_sentencepiece(sampled);
  EXPECT_EQ(first, read_file(folder_ / "out" / "tokenizer.model"));
}

TEST_F(TrainingTest, ImpossibleVocabulariesAreErrors) {
  for (const int64_t size : {int64_t{100}, int64_t{265}, int64_t{50000}}) {
    std::string message;
    try {
      train_sentencepiece(options(size));
    } catch (const Error& error) {
      message = error.what();
    }
    EXPECT_NE(message.find(std::to_string(size)), std::string::npos) << message;
    EXPECT_NE(message.find("vocab_size"), std::string::npos) << message;
    EXPECT_EQ(message.find("library"), std::string::npos) << message << " is not explained";
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  }
  auto empty = options(300);
  write_file_atomically(folder_ / "text.txt", "");
  EXPECT_THROW(train_sentencepiece(empty), Error);
}

}  // namespace
}  // namespace galore
