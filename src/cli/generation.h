// The model and the options of `galore generate`, which the command and the Python module share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/options.h"
#include "models/generate.h"
#include "tokenizer/tokenizer.h"
#include "train/run_builder.h"

namespace galore {

struct GenerationSettings {
  ModelSource model;
  MachineOptions machine;
  GenerateOptions generate;
  std::vector<std::string> stop_strings;
  int64_t seed = 42;              // of the sampling
  bool new_tokens_given = false;  // true if the user has set max_new_tokens
};

// Declares where the model, its adapter and its tokenizer come from.
void declare_model_choice(OptionTable& table, GenerationSettings& settings);
// Declares what is generated from a prompt.
void declare_generation(OptionTable& table, GenerationSettings& settings);
// Declares dtype, device and threads.
void declare_machine_choice(OptionTable& table, GenerationSettings& settings);

// Sets the options that the user left unset to those of generation_config.json. An option of sampling
// switches sampling on.
void take_generation_defaults(const ModelConfig& config, OptionTable& table, GenerationSettings& settings);
// Returns the options for a prompt of this length. Generation ends at the last of a model's learned
// positions; a user who asks for more tokens gets a UsageError.
GenerateOptions options_for_prompt(const GenerationSettings& settings, const ModelConfig& config,
                                   int64_t prompt_tokens);

struct LoadedModel {
  ModelConfig config;
  std::shared_ptr<Tokenizer> tokenizer;  // null: there is none
  RunObjects run;
  CausalLM* model = nullptr;       // owned by `run`
  std::vector<std::string> notes;  // for the user
};

// Reads configuration and tokenizer of the model that the settings name. `model` stays null.
LoadedModel open_language_model(GenerationSettings& settings);
// Makes the model and reads its weights. A model without a language head is an Error.
void load_weights(LoadedModel& loaded, const GenerationSettings& settings);

}  // namespace galore
