// A run on conversations and preferences, for tests.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "train/test_run.h"

namespace galore {

// Has a tokenizer with one token for each letter, and a template.
class ChatRun : public TestRun {
 protected:
  ChatRun() {
    nlohmann::json vocabulary{{"<s>", 0}, {"</s>", 1}, {"<", 2}, {">", 3}};
    for (char letter = 'a'; letter <= 'z'; ++letter) vocabulary[std::string(1, letter)] = letter - 'a' + 4;
    std::filesystem::create_directories(folder_ / "tok");
    write_file_atomically(
        folder_ / "tok/tokenizer.json",
        nlohmann::json{
            {"version", "1.0"},
            {"added_tokens", nlohmann::json::array()},
            {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", nlohmann::json::array()}}}}
            .dump());
    write_file_atomically(folder_ / "tok/chat_template.jinja",
                          "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }}{% endfor %}"
                          "{% if add_generation_prompt %}<a>{% endif %}");
  }
  std::string rows(const std::string& name, const std::string& text) {
    write_file_atomically(folder_ / name, text);
    return (folder_ / name).string();
  }
  Settings chat(const Settings& more) const {
    return joined({"optim=adamw_torch", "optim_args=", "tokenizer_name=" + (folder_ / "tok").string(),
                   "cache_dir=" + (folder_ / "cache").string(), "eval_file=", "full_determinism=false"},
                  more);
  }
  static std::string conversation(const std::string& user, const std::string& assistant) {
    return nlohmann::json{
               {"messages",
                {{{"role", "user"}, {"content", user}}, {{"role", "assistant"}, {"content", assistant}}}}}
               .dump() +
           "\n";
  }
  static std::string preference(const std::string& prompt, const std::string& chosen,
                                const std::string& rejected) {
    return nlohmann::json{{"prompt", prompt}, {"chosen", chosen}, {"rejected", rejected}}.dump() + "\n";
  }
};

}  // namespace galore
