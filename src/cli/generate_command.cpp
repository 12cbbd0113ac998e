#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>

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
  std::string prompt;
  std::vector<std::string> prompt_ids;
  int64_t seed = 42;
  bool json = false;
};

void declare_options(OptionTable& table, Settings& s) {
  table.add("model_name_or_path", &s.run.model_name_or_path, "Hugging Face directory or checkpoint");
  table.add("tokenizer_name", &s.run.tokenizer_name, "default: the model's");
  table.add("prompt", &s.prompt, "text to continue");
  table.add("prompt_ids", &s.prompt_ids, "token ids to continue, as 1,2,3");
  table.add("max_new_tokens", &s.generate.max_new_tokens, "tokens at most").range(1, 1e9);
  table.add("do_sample", &s.generate.do_sample, "false: the most probable token each time");
  table.add("temperature", &s.generate.temperature, "divides the logits").range(1e-6, 1e6);
  table.add("top_k", &s.generate.top_k, "sample among the k most probable tokens; 0: all").range(0, 1e9);
  table.add("top_p", &s.generate.top_p, "sample among the most probable tokens of this mass").range(1e-9, 1);
  table.add("seed", &s.seed, "of the sampling").range(0, 1e18);
  table.add("dtype", &s.run.dtype, "of the weights in memory").choices({"float32", "bfloat16"});
  table.add("device", &s.run.device, "auto, cpu, cuda or cuda:N");
  table.add("threads", &s.run.threads, "0: all processors").range(0, 4096);
  table.add("json", &s.json, "print one JSON object");
}

std::vector<int64_t> prompt_of(const Settings& settings, const Tokenizer* tokenizer) {
  std::vector<int64_t> ids;
  for (const std::string& id : settings.prompt_ids) ids.push_back(parse_count("prompt_ids", "id", id));
  if (!ids.empty()) return ids;
  if (!tokenizer)
    fail_usage("generate", "expected a model with a tokenizer, --tokenizer_name or --prompt_ids");
  for (const int32_t id : tokenizer->encode(settings.prompt, /*add_special_tokens=*/true)) ids.push_back(id);
  return ids;
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

}  // namespace

int generate_command(const std::vector<std::string>& arguments) {
  Settings settings;
  OptionTable table;
  declare_options(table, settings);
  if (!parse_arguments("generate", table, arguments)) return 0;
  if (settings.run.model_name_or_path.empty()) fail_usage("generate", "expected --model_name_or_path DIR");
  if (settings.prompt.empty() && settings.prompt_ids.empty())
    fail_usage("generate", "expected --prompt TEXT or --prompt_ids 1,2,3");
  set_threads(settings.run.threads);
  settings.generate.seed = static_cast<uint64_t>(settings.seed);
  const ModelConfig config = model_config_of(settings.run);
  const auto tokenizer = tokenizer_of(settings.run);
  settings.generate.stop_id = config.eos_token_id;
  Ledger ledger(device_of(settings.run.device));
  const auto model = make_causal_lm(config, model_options(settings.run), ledger);
  load_weights(settings.run.model_name_or_path, model->parameters());

  const std::vector<int64_t> prompt = prompt_of(settings, tokenizer.get());
  TextStream stream(tokenizer.get(), prompt);
  std::string text;
  if (!settings.json) fmt::print("{}", settings.prompt);
  const std::vector<int64_t> output = generate(*model, prompt, settings.generate, [&](int64_t id) {
    const std::string fresh = tokenizer ? stream.add(id) : fmt::format("{} ", id);
    text += tokenizer ? fresh : "";
    if (settings.json) return;
    fmt::print("{}", fresh);
    std::fflush(stdout);
  });
  if (settings.json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"text", text}, {"output_ids", output}}.dump(
                           -1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("\n");
  }
  return 0;
}

}  // namespace galore
