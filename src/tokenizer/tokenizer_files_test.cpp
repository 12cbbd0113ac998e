#include "tokenizer/tokenizer_files.h"

#include <gtest/gtest.h>

#include "core/test_folder.h"
#include "tokenizer/test_data.h"
#include "tokenizer/tokenizer.h"

namespace galore {
namespace {

using testing_tokenizer::testdata;

class TokenizerFilesTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    write_file_atomically(folder_ / name, text);
  }
  // Returns the names of the files below a folder.
  std::vector<std::string> names(const std::string& folder) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / folder))
      names.push_back(std::filesystem::relative(entry.path(), folder_ / folder).string());
    std::sort(names.begin(), names.end());
    return names;
  }

  TestFolder folder_;
};

const std::vector<std::string> kAll = {"additional_chat_templates",
                                       "additional_chat_templates/tools.jinja",
                                       "chat_template.jinja",
                                       "merges.txt",
                                       "tokenizer.json",
                                       "tokenizer.model",
                                       "tokenizer_config.json",
                                       "vocab.json"};

TEST_F(TokenizerFilesTest, EveryFileOfATokenizerTravelsAndNoOtherStays) {
  for (const std::string& name : kAll)
    if (Path(name).has_extension()) write("tok/" + name, "{}");
  write("tok/tokenizer.json", read_file(testdata() / "shapes" / "gpt2.json"));
  write("tok/notes.txt", "no file of a tokenizer");
  write("run/special_tokens_map.json", R"({"pad_token": "<old>"})");
  write("run/additional_chat_templates/rag.jinja", "old");
  write("run/config.json", "{}");
  const auto tokenizer = load_tokenizer(folder_ / "tok");
  replace_tokenizer_files(folder_ / "run", tokenizer->files());
  std::vector<std::string> expected = kAll;
  expected.insert(expected.begin() + 3, "config.json");
  EXPECT_EQ(names("run"), expected);
  EXPECT_EQ(read_file(folder_ / "run/tokenizer.json"), read_file(folder_ / "tok/tokenizer.json"));
  EXPECT_EQ(load_tokenizer(folder_ / "run")->vocab_size(), tokenizer->vocab_size());
}

TEST_F(TokenizerFilesTest, FilesThatDecideNoIdsAreNotInTheFingerprint) {
  write("tok/tokenizer.json", read_file(testdata() / "shapes" / "gpt2.json"));
  const std::string before = load_tokenizer(folder_ / "tok")->fingerprint();
  write("tok/merges.txt", "#version: 0.2");
  EXPECT_EQ(load_tokenizer(folder_ / "tok")->fingerprint(), before);
}

TEST_F(TokenizerFilesTest, AFolderKeepsItsOwnTokenizer) {
  write("tok/tokenizer.json", read_file(testdata() / "shapes" / "gpt2.json"));
  write("tok/tokenizer_config.json", "{}");
  const auto names_before = names("tok");
  for (const char* name : {"tok", "tok/tokenizer.json"}) {
    replace_tokenizer_files(folder_ / "tok", load_tokenizer(folder_ / name)->files());
    EXPECT_EQ(names("tok"), names_before);
  }
  write("run/tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer"})");
  replace_tokenizer_files(folder_ / "run", load_tokenizer(folder_ / "tok/tokenizer.json")->files());
  EXPECT_EQ(names("run"), (std::vector<std::string>{"tokenizer.json"}));
}

}  // namespace
}  // namespace galore
