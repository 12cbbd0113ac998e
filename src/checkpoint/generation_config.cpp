#include "checkpoint/generation_config.h"

#include <algorithm>

#include "checkpoint/json_file.h"
#include "checkpoint/rope_json.h"

namespace galore {
namespace {

constexpr const char* kWhere = "generation_config.json";
constexpr const char* kOptions[] = {"do_sample", "temperature",        "top_h",         "top_k", "top_p",
                                    "min_p",     "repetition_penalty", "max_new_tokens"};

// Settings that would change the generated text. Only these values are supported; a missing key and null are
// valid too.
struct Neutral {
  const char* name;
  Json value;
};
const std::vector<Neutral>& neutral_settings() {
  static const std::vector<Neutral> list{{"num_beams", 1},
                                         {"num_beam_groups", 1},
                                         {"diversity_penalty", 0},
                                         {"penalty_alpha", 0},
                                         {"dola_layers", nullptr},
                                         {"no_repeat_ngram_size", 0},
                                         {"encoder_repetition_penalty", 1},
                                         {"encoder_no_repeat_ngram_size", 0},
                                         {"typical_p", 1},
                                         {"epsilon_cutoff", 0},
                                         {"eta_cutoff", 0},
                                         {"min_length", 0},
                                         {"min_new_tokens", 0},
                                         {"bad_words_ids", nullptr},
                                         {"force_words_ids", nullptr},
                                         {"constraints", nullptr},
                                         {"suppress_tokens", nullptr},
                                         {"begin_suppress_tokens", nullptr},
                                         {"forced_bos_token_id", nullptr},
                                         {"forced_eos_token_id", nullptr},
                                         {"sequence_bias", nullptr},
                                         {"exponential_decay_length_penalty", nullptr},
                                         {"guidance_scale", 1},
                                         {"watermarking_config", nullptr}};
  return list;
}

void check_neutral(const Json& json) {
  for (const Neutral& setting : neutral_settings()) {
    const auto found = json.find(setting.name);
    if (found != json.end() && !found->is_null() && *found != setting.value)
      fail("generate", "{}: '{}' = {} is not supported", kWhere, setting.name, shown(*found));
  }
}

// Returns one value, or a list of values, as a list of T.
template <typename T>
std::vector<T> list_of(const char* where, const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return {};
  const Json list = found->is_array() ? *found : Json::array({*found});
  std::vector<T> values;
  for (const Json& value : list) values.push_back(json_value<T>(where, Json{{name, value}}, name));
  return values;
}

}  // namespace

std::optional<int64_t> named_token_id(const std::string& json, const char* name) {
  if (json.empty()) return std::nullopt;
  const auto ids = list_of<int64_t>("config.json", parse_json_object("config.json", json), name);
  return ids.empty() ? std::nullopt : std::optional(ids[0]);
}

GenerationDefaults generation_defaults(const ModelConfig& config) {
  GenerationDefaults defaults;
  const Json json =
      config.generation_source.empty() ? Json::object() : parse_json_object(kWhere, config.generation_source);
  check_neutral(json);
  for (const char* name : kOptions) {
    const auto found = json.find(name);
    if (found != json.end() && !found->is_null()) defaults.options.emplace_back(name, shown(*found));
  }
  defaults.stop_strings = list_of<std::string>(kWhere, json, "stop_strings");
  defaults.stop_ids = list_of<int64_t>(kWhere, json, "eos_token_id");
  if (defaults.stop_ids.empty() && !config.source.empty())
    defaults.stop_ids =
        list_of<int64_t>("config.json", parse_json_object("config.json", config.source), "eos_token_id");
  if (defaults.stop_ids.empty() && config.eos_token_id) defaults.stop_ids = {*config.eos_token_id};
  return defaults;
}

}  // namespace galore
