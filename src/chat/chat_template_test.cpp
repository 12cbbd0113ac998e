#include "chat/chat_template.h"

#include <gtest/gtest.h>

#include "core/errors.h"
#include "core/files.h"

namespace galore {
namespace {

std::string rendered(const std::string& source, const ChatJson& variables = ChatJson::object()) {
  return ChatTemplate("t", source).render(variables).text;
}

std::string message_of(const std::string& source, const ChatJson& variables = ChatJson::object(),
                       const jinja::Limits& limits = {}) {
  try {
    ChatTemplate("t", source, limits).render(variables);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ChatTemplate, EqualsJinja2) {
  const ChatJson stored = ChatJson::parse(read_file(Path(GALORE_CHAT_TESTDATA) / "vectors.json"));
  for (const ChatJson& one : stored["cases"]) {
    const std::string source = one["template"];
    SCOPED_TRACE(source);
    if (one.contains("fails"))
      EXPECT_NE(message_of(source, stored["values"]), "");
    else
      EXPECT_EQ(rendered(source, stored["values"]), one["text"].get<std::string>());
  }
  EXPECT_GT(stored["cases"].size(), 400u);
}

TEST(ChatTemplate, TellsThePlacesOfTheAssistant) {
  const ChatTemplate chat_template(
      "t", "é{% for m in messages %}{% generation %}{{ m }}{% endgeneration %};{% endfor %}");
  EXPECT_TRUE(chat_template.has_generation_blocks());
  const RenderedChat chat = chat_template.render({{"messages", {"ü", "", "ab"}}});
  EXPECT_EQ(chat.text, "éü;;ab;");
  EXPECT_EQ(chat.assistant, (std::vector<TextSpan>{{2, 4}, {5, 5}, {6, 8}}));
  EXPECT_FALSE(chat.has_hidden_block);
}

TEST(ChatTemplate, TellsThatABlockIsHidden) {
  const ChatTemplate chat_template(
      "t", "{% macro m() %}{% generation %}x{% endgeneration %}{% endmacro %}{{ m() }}");
  EXPECT_TRUE(chat_template.render(ChatJson::object()).has_hidden_block);
}

TEST(ChatTemplate, FaultsNameTheLine) {
  EXPECT_EQ(message_of("a\n{{ raise_exception('Roles must alternate') }}"), "[t:2] Roles must alternate");
  EXPECT_EQ(message_of("\n\n{% nope %}"), "[t:3] unknown tag 'nope'");
  EXPECT_EQ(message_of("\n{{ x | nope }}"), "[t:2] no filter named 'nope'");
  EXPECT_EQ(message_of("\n{{ x.y }}"), "[t:2] 'x' is undefined");
  EXPECT_EQ(message_of("{% include '/etc/passwd' %}"),
            "[t:1] the tag 'include' reads files, which chat templates may not");
}

// Each of these would hang, fill the memory or overflow the stack of an interpreter without limits.
std::vector<std::string> greedy_templates() {
  return {
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
      "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
      "{{ 'x' * 10000000000 }}",
      "{{ [0] * 10000000000 }}",
      "{{ [] * 9223372036854775807 }}{{ [0] * 9223372036854775807 }}",
      "{% set ns = namespace(s='xx') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      "{% set ns = namespace(s=[]) %}{% for i in range(99999) %}{% set ns.s = [ns.s] %}{% endfor %}",
      "{% set ns = namespace(s={}) %}{% for i in range(99999) %}{% set ns.s = {'a': ns.s} %}{% endfor %}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ "
      "ns.s }}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ "
      "ns.s | tojson }}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
      "{{ ('x' * 1000000).replace('x', 'y' * 1000000) }}",
      "{{ ('x' * 1000000) | replace('', 'y' * 1000000) }}",
      "{{ 'x' | indent(1000000000) * 1000000 }}{{ 'x'.center(10000000000) }}",
      "{{ '%999999999d' % 1 }}",
      "{{ '{:999999999}'.format(1) }}",
      "{{ 'x'.ljust(99999999999) }}",
      "{% set x = 'a' * 100000 %}{% for i in range(100000) %}{% set y = x.split('a') %}{% endfor %}",
      "{{ range(99999999999) }}"};
}

std::vector<std::string> deep_templates() {
  const std::string deep(100'000, '('), chain = [] {
    std::string text = "1";
    for (int i = 0; i < 100'000; ++i) text += "+1";
    return text;
  }();
  const std::string nested = [] {
    std::string text;
    for (int i = 0; i < 10'000; ++i) text += "{% if 1 %}";
    return text;
  }();
  return {"{{ " + deep + " }}",
          "{{ " + chain + " }}",
          nested,
          "{{ " + std::string(100'000, '-') + "1 }}",
          "{{ " + std::string(100'000, '[') + " }}",
          "{% set " + deep + "a" + std::string(100'000, ')') + " = 1 %}",
          "{{ [1] | batch(99999999999, 0) | list }}",
          std::string(2 << 20, 'x')};
}

TEST(ChatTemplate, HostileTemplatesEnd) {
  std::vector<std::string> hostile = greedy_templates();
  for (const std::string& source : deep_templates()) hostile.push_back(source);
  jinja::Limits small;  // makes the test quick
  small.steps = 300'000;
  small.bytes = 16 << 20;
  for (const std::string& source : hostile) {
    SCOPED_TRACE(source.substr(0, 100));
    EXPECT_NE(message_of(source, ChatJson::object(), small), "");
  }
}

TEST(ChatTemplate, ValuesThatReferToEachOtherAreFreed) {
  // The leak check of the sanitizers sees a cycle that stays.
  EXPECT_EQ(rendered("{% set a = namespace() %}{% set b = namespace(a=a) %}{% set a.b = [b] %}{% macro m() "
                     "%}{% endmacro "
                     "%}{% set a.m = m %}{% for x in [1] %}{% set a.l = loop %}{% set a.c = loop.cycle %}"
                     "{{ loop.changed(x) }}{% endfor %}{{ a.c(5) }}"),
            "True5");
}

TEST(ChatTemplate, DeepDataIsRefused) {
  ChatJson deep = 1;
  for (int i = 0; i < 300; ++i) deep = ChatJson::array({std::move(deep)});
  EXPECT_EQ(message_of("{{ x }}", {{"x", deep}}), "[t] values are nested deeper than 200 levels");
}

TEST(ChatTemplate, TellsTheTime) { EXPECT_EQ(rendered("{{ strftime_now('%Y') | length }}"), "4"); }

}  // namespace
}  // namespace galore
