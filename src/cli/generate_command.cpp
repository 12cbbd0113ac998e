#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "checkpoint/generation_config.h"
#include "cli/arguments.h"
#include "cli/chat_session.h"
#include "cli/commands.h"
#include "core/errors.h"
#include "kernels/device.h"
#include "models/causal_lm.h"
#include "models/generate.h"
#include "train/inputs.h"
#include "train/run_builder.h"

namespace galore {
namespace {

struct Settings {
  ModelSource model;
  MachineOptions machine;
  GenerateOptions generate;
  std::string prompt, prompt_file;
  std::vector<std::string> prompt_ids, stop_strings;
  int64_t seed = 42;
  bool json = false;
  bool chat = false;
  std::string system;
  ChatOptions chat_options;
  bool new_tokens_given = false;  // true if the user has set max_new_tokens
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
  table.add("model_name_or_path", &s.model.model_name_or_path, "Hugging Face directory or checkpoint");
  table.add("tokenizer_name", &s.model.tokenizer_name, "tokenizer directory or file; default: the model's");
  declare_adapter_path(table, s.model);
  declare_quantization(table, s.model);
  table.add("prompt", &s.prompt, "text to continue");
  table.add("prompt_file", &s.prompt_file, "file of prompts, one for each line");
  table.add("prompt_ids", &s.prompt_ids, "token ids to continue, as 1,2,3");
  declare_conversation(table, s);
  table.group("Generation; defaults come from generation_config.json");
  GenerateOptions& g = s.generate;
  table
      .add("max_new_tokens", &g.max_new_tokens,
           "largest number of new tokens; unset: 64, or as many as learned positions leave")
      .range(1, 1e9);
  table.add("do_sample", &g.do_sample,
            "false: take the most probable token each time; an option of sampling switches it on");
  table.add("temperature", &g.temperature, "divides the logits; 0: take the most probable token")
      .range(0, 1e6);
  table.add("top_h", &g.top_h, "sample among the most probable tokens with this share of the entropy; 0: all")
      .range(0, 1);
  table.add("top_k", &g.top_k, "sample among the k most probable tokens; 0: all").range(0, 1e9);
  table.add("top_p", &g.top_p, "sample among the most probable tokens with this total probability")
      .range(1e-9, 1);
  table.add("min_p", &g.min_p, "do not sample tokens below this share of the largest probability")
      .range(0, 1);
  table.add("repetition_penalty", &g.repetition_penalty, "divides the logits of tokens that occurred before")
      .range(1e-6, 1e6);
  table.add("stop_strings", &s.stop_strings, "texts after which generation ends, as a,b");
  table.add("seed", &s.seed, "seed of the sampling").range(0, 1e18);
  table.group("Machine");
  table.add("dtype", &s.model.dtype, "number format of the weights in memory")
      .choices({"float32", "bfloat16"});
  table.add("device", &s.machine.device, "auto, cpu, cuda or cuda:N");
  table.add("threads", &s.machine.threads, "number of threads; 0: one for each processor").range(0, 4096);
  table.add("json", &s.json, "print one JSON object for each prompt");
}

void take_defaults(const ModelConfig& config, OptionTable& table, Settings& settings) {
  const bool sampling_asked_for = table.was_set("temperature") || table.was_set("top_h") ||
                                  table.was_set("top_k") || table.was_set("top_p") ||
                                  table.was_set("min_p") || table.was_set("seed");
  if (sampling_asked_for && !table.was_set("do_sample")) table.set("generate", "do_sample", "true");
  const GenerationDefaults defaults = generation_defaults(config);
  for (const auto& [name, value] : defaults.options)
    if (!table.was_set(name)) table.set("generation_config.json", name, value);
  if (settings.stop_strings.empty()) settings.stop_strings = defaults.stop_strings;
  settings.generate.stop_ids = defaults.stop_ids;
  settings.generate.seed = static_cast<uint64_t>(settings.seed);
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

// Generation ends at the last of a model's learned positions. If the user asks for more tokens, it is an
// error.
GenerateOptions options_for(const Settings& settings, const ModelConfig& config, int64_t prompt_tokens) {
  GenerateOptions options = settings.generate;
  const int64_t positions = config.max_position_embeddings, left = positions - prompt_tokens;
  if (options.max_new_tokens <= left || !has_learned_positions(config)) return options;
  if (settings.new_tokens_given || left < 1)
    fail_usage("max_new_tokens",
               "expected at most {}: the prompt has {} tokens and the model {} learned positions "
               "(max_position_embeddings), given {}",
               std::max<int64_t>(left, 0), prompt_tokens, positions, options.max_new_tokens);
  options.max_new_tokens = left;
  return options;
}

void print_generated(const GeneratedText& result) {
  show(nlohmann::ordered_json{{"text", result.text}, {"output_ids", result.ids}}.dump(
           -1, ' ', false, nlohmann::json::error_handler_t::replace) +
       "\n");
}

void continue_prompt(CausalLM& model, const Tokenizer* tokenizer, const Prompt& prompt,
                     const Settings& settings) {
  const GenerateOptions options =
      options_for(settings, model.config(), static_cast<int64_t>(prompt.ids.size()));
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
      [&](int64_t prompt_tokens) { return options_for(settings, model.config(), prompt_tokens); });
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
  if (settings.model.model_name_or_path.empty()) fail_usage("generate", "expected --model_name_or_path DIR");
  resolve_base_model(settings.model);
  std::vector<std::string> notes;
  resolve_quantization(settings.model, notes);
  for (const std::string& note : notes) fmt::print(stderr, "note: {}\n", note);
  settings.new_tokens_given = table.was_set("max_new_tokens");
  set_threads(settings.machine.threads);
  const ModelConfig config = model_config_of(settings.model);
  take_defaults(config, table, settings);
  const auto tokenizer = tokenizer_of(settings.model);
  const std::vector<Prompt> prompts =
      settings.chat ? std::vector<Prompt>() : prompts_of(settings, tokenizer.get());
  const RunObjects run = build_model(config, model_options(settings.model, settings.machine.device),
                                     device_of(settings.machine.device));
  set_weights(*run.model, settings.model, settings.seed);
  CausalLM& model = as_causal_lm(*run.model, settings.model.model_name_or_path);
  if (settings.chat) converse(model, tokenizer.get(), settings);
  for (const Prompt& prompt : prompts) continue_prompt(model, tokenizer.get(), prompt, settings);
  return 0;
}

}  // namespace galore
