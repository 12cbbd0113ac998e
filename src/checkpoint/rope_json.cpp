#include "checkpoint/rope_json.h"

#include <algorithm>
#include <cmath>

namespace galore {
namespace {

double positive(const std::string& where, const Json& rope, const char* name, bool whole) {
  const double value = json_value<double>(where, rope, name);
  if (!(value > 0) || value > 1e12 || (whole && value != std::floor(value)))
    fail("config", "{}: '{}' must be a positive {}number, given {}", where, name, whole ? "whole " : "",
         value);
  return value;
}

void parse_llama3(const std::string& where, const Json& rope, RopeScaling& scaling) {
  scaling.low_freq_factor = positive(where, rope, "low_freq_factor", false);
  scaling.high_freq_factor = positive(where, rope, "high_freq_factor", false);
  if (scaling.high_freq_factor <= scaling.low_freq_factor)
    fail("config", "{}: 'high_freq_factor' must be larger than 'low_freq_factor', given {} and {}", where,
         scaling.high_freq_factor, scaling.low_freq_factor);
}

struct YarnKey {
  const char* name;
  double RopeScaling::*member;
};
constexpr YarnKey kYarnKeys[] = {{"beta_fast", &RopeScaling::beta_fast},
                                 {"beta_slow", &RopeScaling::beta_slow},
                                 {"attention_factor", &RopeScaling::attention_factor},
                                 {"mscale", &RopeScaling::mscale},
                                 {"mscale_all_dim", &RopeScaling::mscale_all_dim}};

void parse_yarn(const std::string& where, const Json& rope, RopeScaling& scaling) {
  for (const YarnKey& key : kYarnKeys)
    if (rope.contains(key.name) && !rope[key.name].is_null())
      scaling.*key.member = positive(where, rope, key.name, false);
  if (rope.contains("truncate")) scaling.truncate = json_value<bool>(where, rope, "truncate");
}

std::vector<double> factors(const std::string& where, const Json& rope, const char* name) {
  const Json list = json_value<Json>(where, rope, name);
  const auto is_factor = [](const Json& x) { return x.is_number() && x > 0 && x < 1e12; };
  if (!list.is_array() || list.size() > 65536 || !std::all_of(list.begin(), list.end(), is_factor))
    fail("config", "{}: '{}' must be a list of positive numbers, given {}", where, name, shown(list));
  return list.get<std::vector<double>>();
}

// Phi-3's files also say "yarn" for this kind.
void parse_longrope(const std::string& where, const Json& rope, RopeScaling& scaling) {
  scaling.type = "longrope";
  scaling.factor = 0;
  scaling.short_factor = factors(where, rope, "short_factor");
  scaling.long_factor = factors(where, rope, "long_factor");
  if (rope.contains("attention_factor") && !rope["attention_factor"].is_null())
    scaling.attention_factor = positive(where, rope, "attention_factor", false);
}

}  // namespace

std::string shown(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 120);
}

RopeScaling parse_rope(const std::string& where, const Json& rope) {
  RopeScaling scaling;
  for (const auto& [name, value] : rope.items())
    if (value.is_object())
      fail("config", "{}: '{}', one embedding per kind of layer, is not supported", where, name);
  for (const char* name : {"type", "rope_type"})  // with both names the newer one counts
    if (rope.contains(name)) scaling.type = json_value<std::string>(where, rope, name);
  if (scaling.type == "su") scaling.type = "longrope";  // its name in Phi-3's first files
  const std::vector<std::string> known{"default", "linear", "dynamic", "llama3", "yarn", "longrope"};
  if (std::find(known.begin(), known.end(), scaling.type) == known.end())
    fail("config",
         "{}: rope type '{}' is not supported; expected default, linear, dynamic, llama3, yarn or "
         "longrope",
         where, scaling.type.substr(0, 60));
  if (scaling.type == "default") return scaling;
  const bool long_rope = rope.contains("short_factor") || scaling.type == "longrope";
  if (long_rope) parse_longrope(where, rope, scaling);
  if (!long_rope || rope.contains("factor")) scaling.factor = positive(where, rope, "factor", false);
  if (rope.contains("original_max_position_embeddings") &&
      !rope["original_max_position_embeddings"].is_null())
    scaling.original_max_position_embeddings =
        static_cast<int64_t>(positive(where, rope, "original_max_position_embeddings", true));
  if (scaling.type == "llama3") parse_llama3(where, rope, scaling);
  if (scaling.type == "yarn") parse_yarn(where, rope, scaling);
  return scaling;
}

Json rope_json(const RopeScaling& scaling, int64_t max_position_embeddings) {
  if (scaling.type == "default") return nullptr;
  Json rope{{"rope_type", scaling.type}, {"factor", scaling.factor}};
  const int64_t original = scaling.original_max_position_embeddings;
  if (scaling.type == "llama3") {
    rope["low_freq_factor"] = scaling.low_freq_factor;
    rope["high_freq_factor"] = scaling.high_freq_factor;
    rope["original_max_position_embeddings"] = original > 0 ? original : max_position_embeddings;
  }
  if (scaling.type == "longrope") {
    rope =
        Json{{"type", scaling.type}};  // transformers 4 reads three keys in Phi-3, and "type" is one of them
    if (scaling.factor > 0) rope["factor"] = scaling.factor;
    rope["short_factor"] = scaling.short_factor;
    rope["long_factor"] = scaling.long_factor;
    if (scaling.attention_factor > 0) rope["attention_factor"] = scaling.attention_factor;
    if (original > 0) rope["original_max_position_embeddings"] = original;
  }
  if (scaling.type == "yarn") {
    if (original > 0) rope["original_max_position_embeddings"] = original;
    const RopeScaling fallback;
    for (const YarnKey& key : kYarnKeys)
      if (scaling.*key.member != fallback.*key.member) rope[key.name] = scaling.*key.member;
    if (!scaling.truncate) rope["truncate"] = false;
  }
  return rope;
}

}  // namespace galore
