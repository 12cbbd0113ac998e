#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/arguments.h"
#include "cli/chat_session.h"
#include "cli/commands.h"
#include "cli/generation.h"
#include "core/errors.h"

namespace galore {
namespace {

struct Settings : GenerationSettings {
  std::string prompt, prompt_file;
  std::vector<std::string> prompt_ids;
  bool json = false;
  bool chat = false;
  std::string system;
  ChatOptions chat_options;
};

void declare_conversation(OptionTable& table, Settings& s) {
  table.group("Conversation");
  table.add(
      "chat", &s.chat,
      "talk: each prompt or line of the input is a message; /reset forgets the conversation, /exit ends it");
  table.add("system", &s.system, "system message of the conversation");
  declare_chat_template(table, s.chat_options);
}

void declare_generate_options(OptionTable& table, Settings& s) {
  declare_model_choice(table, s);
  table.add("prompt", &s.prompt, "text to continue");
  table.add("prompt_file", &s.prompt_file, "file of prompts, one for each line");
  table.add("prompt_ids", &s.prompt_ids, "token ids to continue, as 1,2,3");
  declare_conversation(table, s);
  table.group("Generation; defaults come from generation_config.json");
  declare_generation(table, s);
  table.group("Machine");
  declare_machine_choice(table, s);
  table.add("json", &s.json, "print one JSON object for each prompt");
}

struct Prompt {
  std::string text;
  std::vector<int64_t> ids;
};

std::vector<std::string> texts_of(const Settings& settings) {
  std::vector<std::string> texts;
  if (!settings.prompt.empty()) texts.push_back(settings.prompt);
  if (!settings.prompt_file.empty()) {
    std::istringstream lines(read_file(settings.prompt_file));
    for (std::string line; std::getline(lines, line);)
      if (!line.empty()) texts.push_back(line);
  }
  return texts;
}

std::vector<Prompt> prompts_of(const Settings& settings, const Tokenizer* tokenizer) {
  std::vector<Prompt> prompts;
  if (!settings.prompt_ids.empty()) prompts.emplace_back();
  for (const std::string& id : settings.prompt_ids)
    prompts.back().ids.push_back(parse_count("prompt_ids", "id", id));
  const std::vector<std::string> texts = texts_of(settings);
  if (!texts.empty() && !tokenizer)
    fail_usage("generate", "expected a model with a tokenizer, --tokenizer_name or --prompt_ids");
  for (const std::string& text : texts) {
    prompts.push_back({text, {}});
    for (const int32_t id : tokenizer->encode(text, /*add_special_tokens=*/true))
      prompts.back().ids.push_back(id);
  }
  if (prompts.empty())
    fail_usage("generate", "expected --prompt TEXT, --prompt_file FILE or --prompt_ids 1,2,3");
  return prompts;
}

void show(const std::string& text) {
  fmt::print("{}", text);
  std::fflush(stdout);
}

GeneratedText continue_ids(CausalLM& model, const Prompt& prompt, const Settings& settings,
                           const GenerateOptions& options) {
  const auto receive = [&](int64_t id) {
    if (!settings.json) show(fmt::format("{} ", id));
    return true;
  };
  return {"", generate(model, prompt.ids, options, receive)};
}

GeneratedText continue_text(CausalLM& model, const Tokenizer& tokenizer, const Prompt& prompt,
                            const Settings& settings, const GenerateOptions& options) {
  const auto receive = [&](const std::string& fresh) {
    if (!settings.json) show(fresh);
  };
  return generate_text(model, prompt.ids, options, settings.stop_strings, decoder_of(tokenizer), receive);
}

void print_generated(const GeneratedText& result) {
  show(nlohmann::ordered_json{{"text", result.text}, {"output_ids", result.ids}}.dump(
           -1, ' ', false, nlohmann::json::error_handler_t::replace) +
       "\n");
}

void continue_prompt(CausalLM& model, const Tokenizer* tokenizer, const Prompt& prompt,
                     const Settings& settings) {
  const GenerateOptions options =
      options_for_prompt(settings, model.config(), static_cast<int64_t>(prompt.ids.size()));
  if (!settings.json) fmt::print("{}", prompt.text);
  const GeneratedText result = tokenizer ? continue_text(model, *tokenizer, prompt, settings, options)
                                         : continue_ids(model, prompt, settings, options);
  settings.json ? print_generated(result) : show("\n");
}

void converse(CausalLM& model, const Tokenizer* tokenizer, const Settings& settings) {
  if (!tokenizer) fail_usage("generate", "expected a model with a tokenizer, or --tokenizer_name");
  if (!settings.prompt_ids.empty()) fail_usage("prompt_ids", "expected texts with --chat, given ids");
  ChatSession session(
      model, *tokenizer, {settings.chat_options, settings.system, settings.stop_strings},
      [&](int64_t prompt_tokens) { return options_for_prompt(settings, model.config(), prompt_tokens); });
  const auto say = [&](const std::string& message) {
    const GeneratedText reply =
        session.answer(message, [&](const std::string& fresh) { settings.json ? void() : show(fresh); });
    settings.json ? print_generated(reply) : show("\n");
  };
  const std::vector<std::string> messages = texts_of(settings);
  for (const std::string& message : messages) say(message);
  if (messages.empty()) read_messages(session, say);
}

}  // namespace

int generate_command(const Arguments& arguments) {
  Settings settings;
  OptionTable table;
  declare_generate_options(table, settings);
  if (!parse_arguments("generate", table, arguments)) return 0;
  LoadedModel loaded = open_language_model(settings);
  for (const std::string& note : loaded.notes) fmt::print(stderr, "note: {}\n", note);
  take_generation_defaults(loaded.config, table, settings);
  const Tokenizer* tokenizer = loaded.tokenizer.get();
  const std::vector<Prompt> prompts = settings.chat ? std::vector<Prompt>() : prompts_of(settings, tokenizer);
  load_weights(loaded, settings);
  if (settings.chat) converse(*loaded.model, tokenizer, settings);
  for (const Prompt& prompt : prompts) continue_prompt(*loaded.model, tokenizer, prompt, settings);
  return 0;
}

}  // namespace galore
