// Which tokens of a conversation are trained.
#include "chat/chat_encoder.h"

#include <gtest/gtest.h>

#include "chat/token_spans.h"
#include "core/errors.h"
#include "core/test_folder.h"
#include "core/test_message.h"

namespace galore {
namespace {

// A tokenizer with one id per byte, in the folder of its templates; eos is 257.
class ByteIds : public Tokenizer {
 public:
  explicit ByteIds(const Path& folder) : folder_(folder) {}
  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens) const override {
    std::vector<int32_t> ids;
    if (add_special_tokens) ids.push_back(256);
    for (const char c : text) ids.push_back(c == '$' ? 257 : static_cast<unsigned char>(c));
    return ids;
  }
  std::string decode(const std::vector<int32_t>& ids, bool) const override {
    std::string text;
    for (const int32_t id : ids)
      if (id < 256) text += static_cast<char>(id);
    return text;
  }
  int64_t vocab_size() const override { return 258; }
  std::optional<int64_t> bos_id() const override { return 256; }
  std::optional<int64_t> eos_id() const override { return 257; }
  std::optional<int64_t> pad_id() const override { return std::nullopt; }
  std::string fingerprint() const override { return "bytes"; }
  std::vector<Path> files() const override { return {folder_ / "tokenizer.json"}; }

 private:
  Path folder_;
};

constexpr const char* kPlain =
    "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }};{% endfor %}"
    "{% if add_generation_prompt %}<a>{% endif %}";
constexpr const char* kMarked =
    "{% for m in messages %}<{{ m.role[0] }}>{% if m.role == 'assistant' %}{% generation %}{{ m.content }};"
    "{% endgeneration %}{% else %}{{ m.content }};{% endif %}{% endfor %}";

class ChatEncoderTest : public testing::Test {
 protected:
  // Returns the text with each stretch of trained tokens in brackets.
  std::string trained(const std::string& row, const ChatOptions& options = {}) {
    const EncodedChat chat = ChatEncoder(tokenizer_, options).encode(ChatJson::parse(row), "row");
    EXPECT_EQ(chat.ids.size(), chat.labels.size());
    std::string text;
    bool inside = false;
    for (size_t i = 0; i < chat.ids.size(); ++i) {
      const bool now = chat.labels[i] != -100;
      EXPECT_TRUE(!now || chat.labels[i] == chat.ids[i]);
      if (now != inside) text += now ? "[" : "]";
      inside = now;
      text += chat.ids[i] < 256    ? std::string(1, static_cast<char>(chat.ids[i]))
              : chat.ids[i] == 256 ? "^"
                                   : "$";
    }
    return text + (inside ? "]" : "");
  }
  void use(const std::string& text) { write_file_atomically(folder_ / "chat_template.jinja", text); }

  TestFolder folder_;
  const ByteIds tokenizer_{folder_.path()};
  const std::string two_turns_ =
      R"({"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "ä1"},
          {"role": "user", "content": "v"}, {"role": "assistant", "content": "b2"}]})";
};

TEST_F(ChatEncoderTest, EveryTurnOfTheAssistantIsTrained) {
  use(kMarked);
  EXPECT_EQ(trained(two_turns_), "<u>u;<a>[ä1;]<u>v;<a>[b2;]");
  use(kPlain);
  EXPECT_EQ(trained(two_turns_), "<u>u;<a>[ä1;]<u>v;<a>[b2;]") << "by the difference of beginnings";
}

TEST_F(ChatEncoderTest, AllTokensAreTrainedOnRequest) {
  use(kPlain);
  ChatOptions options;
  options.train_on_inputs = true;
  EXPECT_EQ(trained(two_turns_, options), "[<u>u;<a>ä1;<u>v;<a>b2;]");
  EXPECT_EQ(trained(R"({"prompt": "p", "completion": "c"})", options), "[^pc$]");
}

TEST_F(ChatEncoderTest, TextsThatAreNoBeginningsNeedBlocks) {
  use("{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}");
  const std::string message = message_of([&] { trained(two_turns_); });
  EXPECT_NE(message.find("expected generation blocks"), std::string::npos) << message;
  EXPECT_EQ(message.find("[row] "), 0);
  use("{% macro m(x) %}{% generation %}{{ x }}{% endgeneration %}{% endmacro %}{{ m(messages[1].content) }}");
  EXPECT_NE(message_of([&] { trained(two_turns_); }).find("inside of a macro"), std::string::npos);
}

TEST_F(ChatEncoderTest, PromptsOfMessagesAreNotTrained) {
  const std::string row =
      R"({"prompt": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "x"},
          {"role": "user", "content": "w"}], "completion": [{"role": "assistant", "content": "y"}]})";
  for (const char* chat_template : {kMarked, kPlain}) {
    use(chat_template);
    EXPECT_EQ(trained(row), "<u>u;<a>x;<u>w;<a>[y;]");
  }
}

TEST_F(ChatEncoderTest, RowsHaveSeveralForms) {
  EXPECT_EQ(trained(R"({"prompt": "ab", "completion": " c"})"), "^ab[ c$]") << "no template is needed";
  EXPECT_EQ(trained(R"({"prompt": "a$", "completion": "c$"})"), "^a$[c$]") << "eos as a part of the texts";
  use(kPlain);
  EXPECT_EQ(trained(R"({"instruction": "i", "input": "n", "output": "o", "system": "s"})"),
            "<s>s;<u>i\nn;<a>[o;]");
  EXPECT_EQ(trained(R"({"instruction": "i", "input": "", "output": "o", "history": [["q", "r"]]})"),
            "<u>q;<a>[r;]<u>i;<a>[o;]");
  EXPECT_EQ(trained(R"({"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "h"},
                        {"from": "gpt", "value": "g"}]})"),
            "<s>s;<u>h;<a>[g;]");
  EXPECT_NE(
      message_of([&] { trained(R"({"conversations": [{"from": "pope", "value": "x"}]})"); }).find("pope"),
      std::string::npos);
  EXPECT_NE(message_of([&] { trained(R"({"instruction": "i"})"); }).find("'output'"), std::string::npos);
  EXPECT_NE(message_of([&] { trained(R"({"question": "q"})"); }).find("expected messages"),
            std::string::npos);
}

TEST_F(ChatEncoderTest, ToolsAndVariablesReachTheTemplate) {
  use("{{ tools | tojson }}{{ style }}{{ mood }}");
  ChatOptions options;
  options.chat_template_kwargs = R"({"style": "short", "mood": "calm"})";
  options.train_on_inputs = true;
  EXPECT_EQ(trained(R"({"messages": [{"role": "user", "content": "u"}], "tools": "[{\"b\": 1, \"a\": 2}]",
                        "chat_template_kwargs": {"mood": "glad"}})",
                    options),
            "[[{\"b\": 1, \"a\": 2}]shortglad]");
}

TEST_F(ChatEncoderTest, WithoutATemplateMessagesAreRefused) {
  EXPECT_NE(message_of([&] { trained(two_turns_); }).find("no chat template"), std::string::npos);
}

TEST_F(ChatEncoderTest, TokensOfOneCharacterShareItsPlace) {
  const std::string text = "aäb";
  const auto spans = token_spans(tokenizer_, text, tokenizer_.encode(text, false));
  ASSERT_TRUE(spans);
  EXPECT_EQ(spans->size(), 4u);
  EXPECT_EQ((*spans)[0], (TextSpan{0, 1}));
  EXPECT_EQ((*spans)[3], (TextSpan{3, 4}));
}

}  // namespace
}  // namespace galore
