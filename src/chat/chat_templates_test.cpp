#include "chat/chat_templates.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/errors.h"
#include "core/test_folder.h"

namespace galore {
namespace {

class ChatTemplatesTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  std::string rendered(const Chat& chat, const std::string& choice = "") {
    ChatTemplates templates(folder_.path());
    if (!choice.empty()) templates.choose(choice);
    return templates.render(chat, false).text;
  }
  TestFolder folder_;
  const Chat plain_{{{{"role", "user"}, {"content", "hi"}}}, nullptr, ChatJson::object()};
};

TEST_F(ChatTemplatesTest, TheFileComesBeforeTheConfiguration) {
  write("tokenizer_config.json", R"({"chat_template": "config {{ messages[0].content }}"})");
  EXPECT_EQ(rendered(plain_), "config hi");
  write("chat_template.jinja", "file {{ messages[0].content }}\n");
  EXPECT_EQ(rendered(plain_), "file hi");
}

TEST_F(ChatTemplatesTest, ChatsWithToolsUseTheTemplateForThem) {
  write(
      "tokenizer_config.json",
      R"({"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"},
            {"name": "rag", "template": "rag {{ style }}"}]})");
  Chat with_tools = plain_;
  with_tools.tools = ChatJson::array({ChatJson::object()});
  EXPECT_EQ(rendered(plain_), "plain");
  EXPECT_EQ(rendered(with_tools), "tools");
  with_tools.variables = {{"style", "short"}};
  EXPECT_EQ(rendered(with_tools, "rag"), "rag short");
}

TEST_F(ChatTemplatesTest, NamedTemplatesStandInAFolder) {
  write("additional_chat_templates/tool_use.jinja", "tools");
  EXPECT_THROW(rendered(plain_), Error);  // no default
  write("chat_template.jinja", "plain");
  EXPECT_EQ(rendered(plain_), "plain");
  EXPECT_EQ(rendered(plain_, "tool_use"), "tools");
  write("own.jinja", "own");
  EXPECT_EQ(rendered(plain_, (folder_ / "own.jinja").string()), "own");
  EXPECT_THROW(rendered(plain_, "nope"), Error);
}

TEST_F(ChatTemplatesTest, TemplatesGetTransformersVariables) {
  write("chat_template.jinja",
        "{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}{{ q is defined }}"
        "{{ 'tool_calls' in messages[0] }}");
  Chat chat = plain_;
  chat.messages[0]["tool_calls"] = nullptr;
  EXPECT_EQ(rendered(chat), "TrueTrueFalseFalseFalse");
}

TEST_F(ChatTemplatesTest, AFolderWithoutTemplatesIsRefused) {
  EXPECT_TRUE(ChatTemplates(folder_.path()).empty());
  EXPECT_THROW(rendered(plain_), Error);
}

}  // namespace
}  // namespace galore
