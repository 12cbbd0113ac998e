// Compares tokenizer.json files with the Python packages through frozen vectors
// (testdata/make_json_vectors.py).
#include "tokenizer/json_tokenizer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/errors.h"
#include "core/test_folder.h"
#include "core/test_message.h"
#include "tokenizer/test_data.h"
#include "tokenizer/text_repair.h"

namespace galore {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<int32_t>;

using testing_tokenizer::testdata;
Path shape(const std::string& name) { return testdata() / "shapes" / (name + ".json"); }

// Long rows are stored as the number of ids and a weighted sum of them.
Json compact(const Ids& ids, const Json& stored) {
  if (stored.is_array()) return ids;
  int64_t sum = 0;
  for (size_t i = 0; i < ids.size(); ++i) sum += ids[i] * static_cast<int64_t>(i % 9 + 1);
  return {{"count", ids.size()}, {"sum", sum}};
}

void expect_row(const Tokenizer& tokenizer, const std::string& text, const Json& row) {
  SCOPED_TRACE(Json(text).dump());
  const Ids ids = tokenizer.encode(text, true), plain = tokenizer.encode(text, false);
  EXPECT_EQ(compact(ids, row["ids"]), row["ids"]);
  const Json& stored_plain = row.contains("plain") ? row["plain"] : row["ids"];
  EXPECT_EQ(compact(plain, stored_plain), stored_plain);
  EXPECT_EQ(tokenizer.encode(text, true), ids) << "from the word cache";
  if (!row["ids"].is_array()) return;
  const std::string decoded = row.value("decoded", text);
  EXPECT_EQ(tokenizer.decode(ids, false), decoded);
  EXPECT_EQ(tokenizer.decode(ids, true), row.value("skipped", decoded));
}

class JsonTokenizerTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  void write_tokenizer(const Json& json) const { write("tokenizer.json", json.dump()); }
  std::string message_of_loading() const {
    try {
      load_tokenizer(folder_ / "tokenizer.json");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  TestFolder folder_;
};

TEST_F(JsonTokenizerTest, EqualsTokenizersOnEveryShape) {
  const Json stored = Json::parse(read_file(testdata() / "json_vectors.json"));
  size_t compared = 0;
  for (const auto& [name, set] : stored["shapes"].items()) {
    SCOPED_TRACE(name);
    const auto tokenizer = load_tokenizer(shape(name));
    EXPECT_EQ(tokenizer->vocab_size(), set["vocab_size"]);
    const IdSequence pair = tokenizer->encode_pair("the king", "my lord", true);
    EXPECT_EQ(Json(pair.ids), set["pair"]["ids"]);
    EXPECT_EQ(Json(pair.type_ids), set["pair"]["type_ids"]);
    for (size_t i = 0; i < set["rows"].size(); ++i, ++compared)
      expect_row(*tokenizer, stored["texts"][i], set["rows"][i]);
  }
  EXPECT_GT(compared, 2000);
}

TEST_F(JsonTokenizerTest, EqualsTokenizersAtEdges) {
  const Json stored = Json::parse(read_file(testdata() / "edge_vectors.json"));
  size_t compared = 0;
  for (const auto& [name, set] : stored.items()) {
    write_tokenizer(set["tokenizer"]);
    const auto tokenizer = load_tokenizer(folder_ / "tokenizer.json");
    for (const Json& row : set["rows"]) {
      const auto text = row[0].get<std::string>();
      EXPECT_EQ(Json(tokenizer->encode(text, true)), row[1]) << name << " " << Json(text).dump();
      ++compared;
    }
  }
  EXPECT_GT(compared, 400);
}

TEST_F(JsonTokenizerTest, EqualsAutoTokenizerOnFolders) {
  const Json stored = Json::parse(read_file(testdata() / "pretrained_vectors.json"));
  const auto id_or_null = [](const std::optional<int64_t>& id) { return id ? Json(*id) : Json(); };
  for (const auto& [name, set] : stored["folders"].items()) {
    SCOPED_TRACE(name);
    const Path folder = folder_ / name;
    std::filesystem::create_directories(folder);
    std::filesystem::copy(shape(set["shape"]), folder / "tokenizer.json");
    for (const auto& [file, content] : set["files"].items())
      std::ofstream(folder / (file + ".json")) << content.dump();
    const auto tokenizer = load_tokenizer(folder);
    EXPECT_EQ(tokenizer->vocab_size(), set["vocab_size"]);
    EXPECT_EQ(id_or_null(tokenizer->bos_id()), set["bos"]);
    EXPECT_EQ(id_or_null(tokenizer->eos_id()), set["eos"]);
    EXPECT_EQ(id_or_null(tokenizer->pad_id()), set["pad"]);
    for (size_t i = 0; i < set["rows"].size(); ++i)
      expect_row(*tokenizer, stored["texts"][i], set["rows"][i]);
    EXPECT_EQ(tokenizer->files().size(), 1 + set["files"].size() - set["files"].count("config"));
  }
}

// make_folder_vectors.py. The stored stages get the vocabulary of their shape.
TEST_F(JsonTokenizerTest, EqualsAutoTokenizerOfTheVersionThatWroteAFolder) {
  const Json stored = Json::parse(read_file(testdata() / "folder_vectors.json"));
  const auto id_or_null = [](const std::optional<int64_t>& id) { return id ? Json(*id) : Json(); };
  for (const char* version : {"transformers 4", "transformers 5"})
    for (const auto& [name, set] : stored[version].items()) {
      SCOPED_TRACE(std::string(version) + " " + name);
      Json tokenizer_json = set["stages"];
      tokenizer_json["model"].update(Json::parse(read_file(shape(set["shape"])))["model"]);
      tokenizer_json["model"].update(set["stages"]["model"]);
      const Path folder = folder_ / version / name;
      std::filesystem::create_directories(folder);
      std::ofstream(folder / "tokenizer.json") << tokenizer_json.dump();
      for (const auto& [file, content] : set["files"].items())
        std::ofstream(folder / (file + ".json")) << content.dump();
      const auto tokenizer = load_tokenizer(folder);
      EXPECT_EQ(tokenizer->vocab_size(), set["vocab_size"]);
      EXPECT_EQ(id_or_null(tokenizer->bos_id()), set["bos"]);
      EXPECT_EQ(id_or_null(tokenizer->eos_id()), set["eos"]);
      EXPECT_EQ(id_or_null(tokenizer->pad_id()), set["pad"]);
      for (size_t i = 0; i < set["rows"].size(); ++i)
        expect_row(*tokenizer, stored["texts"][i], set["rows"][i]);
    }
  EXPECT_GE(stored["transformers 4"].size() + stored["transformers 5"].size(), 40);
}

TEST_F(JsonTokenizerTest, UnknownComponentsAreRefusedByName) {
  const Json good = Json::parse(read_file(shape("gpt2")));
  for (const char* stage : {"normalizer", "pre_tokenizer", "post_processor", "decoder", "model"}) {
    Json json = good;
    json[stage] = Json{{"type", "Frobnicator"}};
    write_tokenizer(json);
    const std::string message = message_of_loading();
    EXPECT_NE(message.find("Frobnicator"), std::string::npos) << message;
    EXPECT_NE(message.find(std::string("tokenizer.json: ") + stage), std::string::npos) << message;
  }
  Json json = good;
  json["pre_tokenizer"] = {{"type", "Sequence"},
                           {"pretokenizers", {{{"type", "Digits"}}, {{"type", "Nope"}}}}};
  write_tokenizer(json);
  EXPECT_NE(message_of_loading().find("pretokenizers[1]"), std::string::npos) << message_of_loading();
}

TEST_F(JsonTokenizerTest, WrongFilesAreErrorsThatSayWhere) {
  const auto expect_message = [&](const std::string& pointer, const Json& value, const std::string& part) {
    Json json = Json::parse(read_file(shape("gpt2")));
    json[Json::json_pointer(pointer)] = value;
    write_tokenizer(json);
    const std::string message = message_of_loading();
    EXPECT_NE(message.find(part), std::string::npos) << pointer << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  };
  expect_message("/model/merges/3", "a", "merges[3]");
  expect_message("/model/merges/3", {"zzz", "yyy"}, "'zzz' is not in the vocabulary");
  expect_message("/model/vocab/x", -1, "model.vocab");
  expect_message("/model/vocab/x", 1e12, "model.vocab");
  expect_message("/model/vocab/x", int64_t{1} << 40, "model.vocab");
  expect_message("/model/vocab/x", 5000000, "model.vocab: expected ids from 0 to 4194304, given 5000000");
  expect_message("/padding", {{"strategy", {{"Fixed", 5000000}}}}, "Fixed: expected at most 4194304");
  expect_message("/padding", {{"pad_to_multiple_of", 5000000}}, "pad_to_multiple_of: expected at most");
  expect_message("/model/vocab", 7, "model.vocab");
  expect_message("/model/dropout", 0.1, "dropout");
  expect_message("/pre_tokenizer/add_prefix_space", "yes",
                 "add_prefix_space: expected true or false, given \"yes\"");
  expect_message("/pre_tokenizer",
                 {{"type", "Split"}, {"pattern", {{"Regex", "(a"}}}, {"behavior", "Isolated"}}, "pattern");
  expect_message("/pre_tokenizer",
                 {{"type", "Split"}, {"pattern", {{"Regex", "\\p{Nope}"}}}, {"behavior", "Removed"}}, "Nope");
  expect_message("/added_tokens/0/content", 7, "added_tokens");
  expect_message("/post_processor", {{"type", "BertProcessing"}, {"sep", "x"}, {"cls", "y"}}, "sep");
  expect_message("/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "AAAA"}},
                 "precompiled_charsmap");
  expect_message("/normalizer", 3, "normalizer");
}

TEST_F(JsonTokenizerTest, NormalizersCannotMultiplyATextWithoutEnd) {
  Json json = Json::parse(read_file(shape("gpt2")));
  const Json longer = {
      {"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(100, 'a')}};
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", {longer, longer}}};
  write_tokenizer(json);
  const auto twice = load_tokenizer(folder_ / "tokenizer.json");
  EXPECT_EQ(twice->decode(twice->encode("a", false), true), std::string(10000, 'a'));
  json["normalizer"]["normalizers"] = std::vector<Json>(10, longer);
  write_tokenizer(json);
  const auto tokenizer = load_tokenizer(folder_ / "tokenizer.json");
  const std::string message = message_of([&] { tokenizer->encode("a", false); });
  EXPECT_NE(message.find("normalizers[3] makes 100000000 bytes of a text of 1: expected at most 1048832"),
            std::string::npos)
      << message;
}

// Any cut or flipped byte gives an Error or a tokenizer that stays within its vocabulary.
TEST_F(JsonTokenizerTest, DamagedFilesDoNotCrash) {
  for (const char* name : {"llama3", "t5", "bert", "unigram_bytes"}) {
    const std::string whole = read_file(shape(name));
    for (size_t at = 0; at < whole.size(); at += 1 + whole.size() / 150) {
      write("tokenizer.json", whole.substr(0, at));
      EXPECT_FALSE(message_of_loading().empty()) << at;
      std::string altered = whole;
      altered[at] = static_cast<char>(altered[at] ^ (1 << (at % 7)));
      write("tokenizer.json", altered);
      try {
        const auto tokenizer = load_tokenizer(folder_ / "tokenizer.json");
        const Ids ids = tokenizer->encode("na\u00efve \ufb01 <s> caf\u00e9 12\u3000x [CLS]", true);
        for (const int32_t id : ids) EXPECT_TRUE(id >= 0 && id < tokenizer->vocab_size()) << id;
        tokenizer->decode(ids, true);
      } catch (const Error&) {
      }
    }
  }
}

TEST_F(JsonTokenizerTest, InvalidUtf8CountsAsReplacementCharacters) {
  const auto tokenizer = load_tokenizer(shape("gpt2"));
  const std::string broken = "a\xff\xe2\x82 b\xf0\x9f\x98";
  EXPECT_EQ(tokenizer->encode(broken, false), tokenizer->encode("a\ufffd\ufffd b\ufffd", false));
  EXPECT_EQ(lossy_utf8("\xe2\x82"), "\ufffd");
  EXPECT_EQ(lossy_utf8("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(lossy_utf8("\xf4\x90\x80"), "\ufffd\ufffd\ufffd");
}

// The two ways through "---" have sums that differ in the last bit only, and Rust's serde_json reads this bit
// differently.
TEST_F(JsonTokenizerTest, ScoresAreReadAsThePackageReadsThem) {
  write("tokenizer.json", R"({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0],
      ["\u2581", -3.4565887860098936], ["&", -11.445902814105601], ["-", -6.260900513284193],
      ["--", -7.039990384675894]]}})");
  EXPECT_EQ(load_tokenizer(folder_ / "tokenizer.json")->encode("\u2581&---", true), (Ids{1, 2, 4, 3}));
}

TEST_F(JsonTokenizerTest, ThreadsShareATokenizer) {
  const auto tokenizer = load_tokenizer(shape("llama3"));
  const std::string text = "Before we proceed any further, hear me speak. \u4f60\u597d 12345";
  const Ids expected = tokenizer->encode(text, true);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (int& count : wrong)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) count += tokenizer->encode(text, true) != expected;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

// SentencePiece-style models see a text as one word of 200 kB; quadratic merging would take minutes.
TEST_F(JsonTokenizerTest, LongWordsAreMergedByAHeap) {
  for (const char* name : {"gpt2", "llama2", "gemma"}) {
    const auto tokenizer = load_tokenizer(shape(name));
    std::string text;
    while (text.size() < 200000) text += "proceedspeakanyfurther";
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, false), false), text);
  }
}

}  // namespace
}  // namespace galore
