#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "checkpoint/generation_config.h"
#include "checkpoint/hugging_face.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/errors.h"
#include "kernels/device.h"
#include "models/generate.h"
#include "train/inputs.h"

namespace galore {
namespace {

struct Settings {
  TrainOptions run;
  GenerateOptions generate;
  std::string prompt, prompt_file;
  std::vector<std::string> prompt_ids, stop_strings;
  int64_t seed = 42;
  bool json = false;
  bool new_tokens_given = false;  // max_new_tokens by the user
};

void declare_generate_options(OptionTable& table, Settings& s) {
  table.add("model_name_or_path", &s.run.model_name_or_path, "Hugging Face directory or checkpoint");
  table.add("tokenizer_name", &s.run.tokenizer_name, "default: the model's");
  table.add("prompt", &s.prompt, "text to continue");
  table.add("prompt_file", &s.prompt_file, "a file of prompts, one a line");
  table.add("prompt_ids", &s.prompt_ids, "token ids to continue, as 1,2,3");
  table.group("Generation; what is not given is generation_config.json's");
  GenerateOptions& g = s.generate;
  table
      .add("max_new_tokens", &g.max_new_tokens,
           "tokens at most; unset: 64, or as many as learned positions leave")
      .range(1, 1e9);
  table.add("do_sample", &g.do_sample,
            "false: the most probable token each time; true by itself where an option of sampling is given");
  table.add("temperature", &g.temperature, "divides the logits").range(1e-6, 1e6);
  table.add("top_k", &g.top_k, "sample among the k most probable tokens; 0: all").range(0, 1e9);
  table.add("top_p", &g.top_p, "sample among the most probable tokens of this mass").range(1e-9, 1);
  table.add("min_p", &g.min_p, "and not among those below this part of the largest probability").range(0, 1);
  table.add("repetition_penalty", &g.repetition_penalty, "divides logits of tokens that were there before")
      .range(1e-6, 1e6);
  table.add("stop_strings", &s.stop_strings, "texts after which generation ends, as a,b");
  table.add("seed", &s.seed, "of the sampling").range(0, 1e18);
  table.group("Machine");
  table.add("dtype", &s.run.dtype, "of the weights in memory").choices({"float32", "bfloat16"});
  table.add("device", &s.run.device, "auto, cpu, cuda or cuda:N");
  table.add("threads", &s.run.threads, "0: all processors").range(0, 4096);
  table.add("json", &s.json, "print one JSON object a prompt");
}

void take_defaults(const ModelConfig& config, OptionTable& table, Settings& settings) {
  const bool sampling_asked_for = table.was_set("temperature") || table.was_set("top_k") ||
                                  table.was_set("top_p") || table.was_set("min_p") || table.was_set("seed");
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

std::vector<Prompt> prompts_of(const Settings& settings, const Tokenizer* tokenizer) {
  std::vector<Prompt> prompts;
  if (!settings.prompt_ids.empty()) prompts.emplace_back();
  for (const std::string& id : settings.prompt_ids)
    prompts.back().ids.push_back(parse_count("prompt_ids", "id", id));
  std::vector<std::string> texts;
  if (!settings.prompt.empty()) texts.push_back(settings.prompt);
  if (!settings.prompt_file.empty()) {
    std::istringstream lines(read_file(settings.prompt_file));
    for (std::string line; std::getline(lines, line);)
      if (!line.empty()) texts.push_back(line);
  }
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

// Decodes all tokens each time and gives what is new: a token's text depends on the tokens before it.
class TextStream {
 public:
  TextStream(const Tokenizer* tokenizer, const std::vector<int64_t>& prompt) : tokenizer_(tokenizer) {
    for (const int64_t id : prompt) ids_.push_back(static_cast<int32_t>(id));
    if (tokenizer_) shown_ = tokenizer_->decode(ids_, true);
  }
  std::string add(int64_t id) {
    ids_.push_back(static_cast<int32_t>(id));
    if (!tokenizer_) return "";
    const std::string all = tokenizer_->decode(ids_, true);
    // An incomplete character decodes to U+FFFD: wait for its other bytes.
    if (all.ends_with("\xef\xbf\xbd") || all.size() <= shown_.size()) return "";
    const std::string fresh = all.substr(shown_.size());
    shown_ = all;
    return fresh;
  }

 private:
  const Tokenizer* tokenizer_;
  std::vector<int32_t> ids_;
  std::string shown_;
};

bool holds_one(const std::string& text, const std::vector<std::string>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const std::string& part) { return text.find(part) != std::string::npos; });
}

// Generation ends with a model's learned positions, unless the user asks for more: then it is an error.
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

void continue_prompt(CausalLM& model, const Tokenizer* tokenizer, const Prompt& prompt,
                     const Settings& settings) {
  TextStream stream(tokenizer, prompt.ids);
  std::string text;
  if (!settings.json) fmt::print("{}", prompt.text);
  const auto receive = [&](int64_t id) {
    const std::string fresh = tokenizer ? stream.add(id) : fmt::format("{} ", id);
    text += tokenizer ? fresh : "";
    if (!settings.json) {
      fmt::print("{}", fresh);
      std::fflush(stdout);
    }
    return !holds_one(text, settings.stop_strings);
  };
  const GenerateOptions options =
      options_for(settings, model.config(), static_cast<int64_t>(prompt.ids.size()));
  const std::vector<int64_t> output = generate(model, prompt.ids, options, receive);
  if (!settings.json) return fmt::print("\n");
  fmt::print("{}\n", nlohmann::ordered_json{{"text", text}, {"output_ids", output}}.dump(
                         -1, ' ', false, nlohmann::json::error_handler_t::replace));
  std::fflush(stdout);
}

}  // namespace

int generate_command(const std::vector<std::string>& arguments) {
  Settings settings;
  OptionTable table;
  declare_generate_options(table, settings);
  if (!parse_arguments("generate", table, arguments)) return 0;
  if (settings.run.model_name_or_path.empty()) fail_usage("generate", "expected --model_name_or_path DIR");
  set_threads(settings.run.threads);
  const ModelConfig config = model_config_of(settings.run);
  settings.new_tokens_given = table.was_set("max_new_tokens");
  take_defaults(config, table, settings);
  const auto tokenizer = tokenizer_of(settings.run);
  const std::vector<Prompt> prompts = prompts_of(settings, tokenizer.get());
  Ledger ledger(device_of(settings.run.device));
  const auto model = make_causal_lm(config, model_options(settings.run), ledger);
  load_weights(settings.run.model_name_or_path, model->parameters());
  for (const Prompt& prompt : prompts) continue_prompt(*model, tokenizer.get(), prompt, settings);
  return 0;
}

}  // namespace galore
