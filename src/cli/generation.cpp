#include "cli/generation.h"

#include <algorithm>

#include "checkpoint/generation_config.h"
#include "core/errors.h"
#include "kernels/device.h"
#include "train/inputs.h"

namespace galore {

void declare_model_choice(OptionTable& table, GenerationSettings& settings) {
  table.add("model_name_or_path", &settings.model.model_name_or_path, "Hugging Face directory or checkpoint");
  table.add("tokenizer_name", &settings.model.tokenizer_name,
            "tokenizer directory or file; default: the model's");
  declare_adapter_path(table, settings.model);
  declare_quantization(table, settings.model);
}

void declare_generation(OptionTable& table, GenerationSettings& settings) {
  GenerateOptions& g = settings.generate;
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
  table.add("stop_strings", &settings.stop_strings, "texts after which generation ends, as a,b");
  table.add("seed", &settings.seed, "seed of the sampling").range(0, 1e18);
}

void declare_machine_choice(OptionTable& table, GenerationSettings& settings) {
  table.add("dtype", &settings.model.dtype, "number format of the weights in memory")
      .choices({"float32", "bfloat16"});
  table.add("device", &settings.machine.device, "auto, cpu, cuda or cuda:N");
  table.add("threads", &settings.machine.threads, "number of threads; 0: one for each processor")
      .range(0, 4096);
}

void take_generation_defaults(const ModelConfig& config, OptionTable& table, GenerationSettings& settings) {
  const bool sampling_asked_for = table.was_set("temperature") || table.was_set("top_h") ||
                                  table.was_set("top_k") || table.was_set("top_p") ||
                                  table.was_set("min_p") || table.was_set("seed");
  settings.new_tokens_given = table.was_set("max_new_tokens");
  if (sampling_asked_for && !table.was_set("do_sample")) table.set("generate", "do_sample", "true");
  const GenerationDefaults defaults = generation_defaults(config);
  for (const auto& [name, value] : defaults.options)
    if (!table.was_set(name)) table.set("generation_config.json", name, value);
  if (settings.stop_strings.empty()) settings.stop_strings = defaults.stop_strings;
  settings.generate.stop_ids = defaults.stop_ids;
  settings.generate.seed = static_cast<uint64_t>(settings.seed);
}

GenerateOptions options_for_prompt(const GenerationSettings& settings, const ModelConfig& config,
                                   int64_t prompt_tokens) {
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

LoadedModel open_language_model(GenerationSettings& settings) {
  if (settings.model.model_name_or_path.empty()) fail_usage("generate", "expected --model_name_or_path DIR");
  LoadedModel loaded;
  resolve_base_model(settings.model);
  resolve_quantization(settings.model, loaded.notes);
  set_threads(settings.machine.threads);
  loaded.config = model_config_of(settings.model);
  loaded.tokenizer = tokenizer_of(settings.model);
  return loaded;
}

void load_weights(LoadedModel& loaded, const GenerationSettings& settings) {
  loaded.run = build_model(loaded.config, model_options(settings.model, settings.machine.device),
                           device_of(settings.machine.device));
  set_weights(*loaded.run.model, settings.model, settings.seed);
  loaded.model = &as_causal_lm(*loaded.run.model, settings.model.model_name_or_path);
}

}  // namespace galore
