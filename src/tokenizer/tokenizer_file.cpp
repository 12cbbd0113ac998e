#include "tokenizer/tokenizer_file.h"

#include <simdjson.h>

#include <cmath>
#include <cstdlib>

#include "core/errors.h"

namespace galore {
namespace {

using Json = nlohmann::json;
namespace dom = simdjson::dom;

constexpr uint64_t kLargestFile = 1u << 30;
// Tables are as long as the largest id, and texts are padded to the length that a file gives, so a few bytes
// of a hostile file could ask for gigabytes. Today's vocabularies have fewer than 2^20 tokens.
constexpr int64_t kLargestId = 1 << 22, kLongestPadding = 1 << 22;

int32_t checked_id(const std::string& where, int64_t id) {
  if (id < 0 || id > kLargestId)
    fail(where, "model.vocab: expected ids from 0 to {}, given {}", kLargestId, id);
  return static_cast<int32_t>(id);
}

// Returns the number that Rust's serde_json reads. It multiplies digits by a power of ten and rounds each, so
// its last bit may be wrong. Such bits decide between two ways through a word with equal sums of scores.
double as_serde_reads(double value) {
  const std::string text = fmt::format("{}", value);  // the shortest text that gives the value
  uint64_t digits = 0;
  int exponent = 0;
  bool fraction = false;
  const size_t e = std::min(text.find('e'), text.size());
  for (const char c : text.substr(0, e)) {
    if (c == '.') fraction = true;
    if (c < '0' || c > '9') continue;
    digits = digits * 10 + static_cast<uint64_t>(c - '0');
    if (fraction) --exponent;
  }
  if (e < text.size()) exponent += std::atoi(text.c_str() + e + 1);
  if (exponent < -22 || exponent > 22) return value;  // no score is so small or large that it matters
  const double power = std::pow(10.0, std::abs(exponent));
  const double result =
      exponent < 0 ? static_cast<double>(digits) / power : static_cast<double>(digits) * power;
  return std::signbit(value) ? -result : result;
}

// Reads {"token": id, ...} or, for Unigram, [["token", score], ...].
void read_vocab(const std::string& where, dom::element vocab, ModelTables& tables) {
  dom::object object;
  if (vocab.get(object) == simdjson::SUCCESS) {
    for (const dom::key_value_pair entry : object) {
      int64_t id = 0;
      if (entry.value.get(id)) fail(where, "model.vocab: expected an id for '{}'", entry.key);
      tables.vocab.emplace_back(entry.key, checked_id(where, id));
    }
    return;
  }
  dom::array array;
  if (vocab.get(array)) fail(where, "model.vocab: expected an object, or a list of tokens and scores");
  for (const dom::element entry : array) {
    std::string_view token;
    double score = 0;
    if (entry.at(0).get(token) || entry.at(1).get(score))
      fail(where, "model.vocab[{}]: expected a token and its score", tables.scored_vocab.size());
    tables.scored_vocab.emplace_back(token, as_serde_reads(score));
  }
}

// Reads merges written as "left right" or as ["left", "right"].
void read_merges(const std::string& where, dom::element merges, ModelTables& tables) {
  dom::array array;
  if (merges.get(array)) fail(where, "model.merges: expected a list");
  for (const dom::element entry : array) {
    std::string_view left, right;
    if (entry.is_string()) {
      const std::string_view both = entry;
      const size_t blank = both.find(' ');
      left = both.substr(0, blank);
      right = blank == std::string_view::npos ? "" : both.substr(blank + 1);
      if (right.empty() || right.find(' ') != std::string_view::npos) left = "";
    } else if (entry.at(0).get(left) || entry.at(1).get(right)) {
      left = "";
    }
    if (left.empty() || right.empty())
      fail(where, "model.merges[{}]: expected two tokens with a blank between, or a list of two",
           tables.merges.size());
    tables.merges.emplace_back(left, right);
  }
}

Json tree_of(dom::element element) { return Json::parse(std::string(simdjson::minify(element))); }

void read_model(const std::string& where, dom::element model, TokenizerFile& file) {
  dom::object object;
  if (model.get(object)) fail(where, "model: expected a JSON object");
  Json& settings = file.settings["model"] = Json::object();
  for (const dom::key_value_pair entry : object) {
    if (entry.key == "vocab")
      read_vocab(where, entry.value, file.tables);
    else if (entry.key == "merges")
      read_merges(where, entry.value, file.tables);
    else
      settings[std::string(entry.key)] = tree_of(entry.value);
  }
}

const Json* stage(const TokenizerFile& file, const char* name) {
  const auto found = file.settings.find(name);
  return found == file.settings.end() || found->is_null() ? nullptr : &*found;
}

std::optional<Truncation> read_truncation(const Json* json, const std::string& where) {
  if (!json) return std::nullopt;
  const JsonFields fields(*json, where);
  Truncation truncation;
  truncation.max_length = fields.integer("max_length", 512);
  truncation.left = fields.text("direction", "Right") == "Left";
  const std::string strategy = fields.text("strategy", "LongestFirst");
  if (strategy == "OnlyFirst") truncation.strategy = Truncation::Strategy::only_first;
  if (strategy == "OnlySecond") truncation.strategy = Truncation::Strategy::only_second;
  return truncation;
}

std::optional<Padding> read_padding(const Json* json, const std::string& where) {
  if (!json) return std::nullopt;
  const JsonFields fields(*json, where);
  Padding padding;
  const auto checked = [](const JsonFields& from, const char* key) {
    const int64_t length = from.integer(key, 0);
    if (length > kLongestPadding) from.refuse(key, fmt::format("at most {}", kLongestPadding));
    return length;
  };
  if (const Json* strategy = fields.find("strategy"); strategy && strategy->is_object())
    padding.length = checked(JsonFields(*strategy, fields.place("strategy")), "Fixed");
  padding.multiple = checked(fields, "pad_to_multiple_of");
  padding.left = fields.text("direction", "Right") == "Left";
  padding.id = static_cast<int32_t>(fields.integer("pad_id", 0));
  padding.type_id = static_cast<int32_t>(fields.integer("pad_type_id", 0));
  return padding;
}

}  // namespace

TokenizerFile read_tokenizer_file(const Path& path) {
  TokenizerFile file;
  file.where = path.string();
  file.settings = Json::object();
  const std::string bytes = read_file(path, kLargestFile);
  dom::parser parser;
  dom::element root;
  if (const auto error = parser.parse(bytes).get(root))
    fail(file.where, "expected JSON: {}", simdjson::error_message(error));
  dom::object object;
  if (root.get(object)) fail(file.where, "expected a JSON object");
  for (const dom::key_value_pair entry : object) {
    if (entry.key == "model")
      read_model(file.where, entry.value, file);
    else
      file.settings[std::string(entry.key)] = tree_of(entry.value);
  }
  if (!stage(file, "model")) fail(file.where, "model: missing");
  return file;
}

Pipeline::Stages make_stages(const TokenizerFile& file) {
  const auto place = [&](const char* name) { return file.where + ": " + name; };
  Pipeline::Stages stages;
  stages.model = make_model(*stage(file, "model"), place("model"), file.tables);
  if (const Json* json = stage(file, "normalizer"))
    stages.normalizer = make_normalizer(*json, place("normalizer"));
  if (const Json* json = stage(file, "pre_tokenizer"))
    stages.pre_tokenizer = make_pre_tokenizer(*json, place("pre_tokenizer"));
  if (const Json* json = stage(file, "post_processor"))
    stages.post_processor = make_post_processor(*json, place("post_processor"));
  if (const Json* json = stage(file, "decoder")) stages.decoder = make_decoder(*json, place("decoder"));
  stages.truncation = read_truncation(stage(file, "truncation"), place("truncation"));
  stages.padding = read_padding(stage(file, "padding"), place("padding"));
  std::vector<AddedEntry> added;
  if (const Json* json = stage(file, "added_tokens")) {
    if (!json->is_array()) fail(file.where, "added_tokens: expected a list");
    for (const Json& token : *json)
      added.push_back(AddedEntry::read(JsonFields(token, place("added_tokens"))));
  }
  stages.added.add(added, *stages.model);
  return stages;
}

}  // namespace galore
