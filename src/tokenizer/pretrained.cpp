#include "tokenizer/pretrained.h"

#include <algorithm>

#include "core/errors.h"

namespace galore {
namespace {

using Json = nlohmann::json;

std::string text_or_empty(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

// Returns the class that tokenizer_config.json names or, without such a name, the class of config.json.
const TokenizerClass& class_of(const Json& tokenizer_config, const Json& model_config) {
  for (const Json* json : {&tokenizer_config, &model_config})
    if (const std::string name = text_or_empty(*json, "tokenizer_class"); !name.empty())
      return tokenizer_class(name);
  return tokenizer_class(tokenizer_class_of_model(text_or_empty(model_config, "model_type")));
}

bool has_content(const std::vector<AddedEntry>& tokens, const std::string& content) {
  return std::any_of(tokens.begin(), tokens.end(),
                     [&](const AddedEntry& token) { return token.content == content; });
}

}  // namespace

PretrainedFolder::PretrainedFolder(const Path& folder) : folder_(folder) {
  where_ = (folder / "tokenizer_config.json").string();
  config_ = read("tokenizer_config.json", true);
  const Json map = read("special_tokens_map.json", true), added = read("added_tokens.json", true);
  const Json model_config = read("config.json", false);
  version_5_ = written_by_version_5(model_config);
  class_ = version_5_ ? &tokenizer_class("") : &class_of(config_, model_config);
  if (const Path chat = folder / "chat_template.jinja"; std::filesystem::exists(chat)) files_.push_back(chat);
  read_added_tokens(map, added);
  read_named_tokens();
}

Json PretrainedFolder::read(const char* name, bool copied) {
  const Path path = folder_ / name;
  if (!std::filesystem::exists(path)) return Json::object();
  if (copied) files_.push_back(path);
  return read_tokenizer_json(path);
}

// Both majors write tokenizer_config.json, but only version 5 names a backend in it. A tokenizer.json without
// this file belongs to the version that config.json names.
bool PretrainedFolder::written_by_version_5(const Json& model_config) const {
  if (!config_.empty()) return text_or_empty(config_, "backend") == "tokenizers";
  return std::atoi(text_or_empty(model_config, "transformers_version").c_str()) >= 5;
}

bool PretrainedFolder::clean_up_spaces(bool model_is_bpe) const {
  constexpr const char* kForced = "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output";
  return flag("clean_up_tokenization_spaces", false) &&
         !(version_5_ && model_is_bpe && !flag(kForced, false));
}

bool PretrainedFolder::flag(const char* key, bool missing) const {
  return JsonFields(config_, where_).flag(key, missing);
}

void PretrainedFolder::read_added_tokens(const Json& special_tokens_map, const Json& added_tokens) {
  if (const auto decoder = config_.find("added_tokens_decoder");
      decoder != config_.end() && decoder->is_object()) {
    for (const auto& [id, token] : decoder->items()) {
      if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos)
        fail(where_, "added_tokens_decoder: expected token ids as keys, given '{}'", id);
      added_[std::stoll(id)] = AddedEntry::read(JsonFields(token, where_ + ": added_tokens_decoder." + id));
    }
    return;
  }
  legacy_files_ = true;
  for (const auto& [key, value] : special_tokens_map.items()) {
    config_[key] = value;
    if (value.is_object()) config_[key]["special"] = true;
  }
  std::vector<std::string> special;
  for (const auto& [key, value] : config_.items())
    if (key.ends_with("_token"))
      special.push_back(value.is_object() ? text_or_empty(value, "content")
                                          : text_or_empty(config_, key.c_str()));
  for (const auto& [content, id] : added_tokens.items()) {
    if (!id.is_number_integer() || id < 0 || id > INT32_MAX)
      fail((folder_ / "added_tokens.json").string(), "{}: expected a token id, given {}", content, id.dump());
    const bool is_special = std::find(special.begin(), special.end(), content) != special.end();
    added_[id.get<int64_t>()] = {content, false, false, false, !is_special, is_special};
  }
}

PretrainedFolder::NamedToken PretrainedFolder::named(const Json& value) const {
  if (value.is_string()) return {value.get<std::string>(), std::nullopt};
  const AddedEntry entry = AddedEntry::read(JsonFields(value, where_));
  return {entry.content, entry};
}

// A token given as a text takes the properties that the class gives it.
PretrainedFolder::NamedToken PretrainedFolder::with_class_properties(const std::string& key,
                                                                     NamedToken token) const {
  if (token.entry) return token;
  using Mask = TokenizerClass::Mask;
  const bool raw = class_->raw_named_tokens &&
                   (key == "bos_token" || key == "eos_token" || key == "unk_token" || key == "pad_token");
  if (raw) token.entry = {token.content, false, false, false, false, true};
  if (key == "mask_token" && class_->mask != Mask::plain)
    token.entry = {token.content,
                   false,
                   true,
                   false,
                   class_->mask != Mask::swallows_blanks_raw,
                   class_->mask == Mask::swallows_blanks_special};
  return token;
}

void PretrainedFolder::read_named_tokens() {
  for (const auto& [key, content] : class_->named_tokens)
    if (!config_.contains(key)) named_[key] = with_class_properties(key, {content, std::nullopt, true});
  for (const char* key : kNamedTokens)
    if (const auto found = config_.find(key); found != config_.end() && !found->is_null())
      named_[key] = with_class_properties(key, named(*found));
  const auto list = config_.find("additional_special_tokens");
  if (list != config_.end() && list->is_array())
    for (const Json& value : *list) additional_.push_back(named(value));
  const auto extra = config_.find("extra_special_tokens");
  if (extra != config_.end() && extra->is_structured())
    for (const auto& [key, value] : extra->items()) additional_.push_back(named(value));
}

bool PretrainedFolder::prefers_sentencepiece() const {
  return class_->name == std::string_view("LlamaTokenizer") &&
         JsonFields(config_, where_).find("add_prefix_space") &&
         std::filesystem::exists(folder_ / "tokenizer.model");
}

std::optional<std::string> PretrainedFolder::named_token(const std::string& key) const {
  const auto found = named_.find(key);
  if (found == named_.end() || found->second.content.empty()) return std::nullopt;
  return found->second.content;
}

void PretrainedFolder::edit(Json& settings) const {
  settings.erase("truncation");
  settings.erase("padding");
  if (version_5_) return;
  if (auto found = settings.find("pre_tokenizer");
      found != settings.end() && text_or_empty(*found, "type") == "ByteLevel") {
    const auto prefix = config_.find("add_prefix_space");
    if (prefix == config_.end() || prefix->is_boolean())
      (*found)["add_prefix_space"] = flag("add_prefix_space", false);
  }
  auto normalizer = settings.find("normalizer");
  if (!class_->bert_normalizer || normalizer == settings.end() ||
      text_or_empty(*normalizer, "type") != "BertNormalizer")
    return;
  const JsonFields fields(config_, where_);
  const auto strip_accents = fields.optional_flag("strip_accents");
  (*normalizer)["lowercase"] = fields.flag("do_lower_case", true);
  (*normalizer)["strip_accents"] = strip_accents ? Json(*strip_accents) : Json();
  (*normalizer)["handle_chinese_chars"] = fields.flag("tokenize_chinese_chars", true);
}

std::vector<PretrainedFolder::NamedToken> PretrainedFolder::all_special() const {
  std::vector<NamedToken> all;
  const auto add = [&](const NamedToken& token) {
    const bool seen =
        std::any_of(all.begin(), all.end(), [&](const NamedToken& t) { return t.content == token.content; });
    if (!seen) all.push_back(token);
  };
  for (const char* key : kNamedTokens)
    if (const auto found = named_.find(key); found != named_.end()) add(found->second);
  for (const NamedToken& token : additional_) add(token);
  return all;
}

std::map<int64_t, AddedEntry> PretrainedFolder::added_tokens_of(const TokenizerFile& file) const {
  std::map<int64_t, AddedEntry> decoder = added_;
  if (!legacy_files_ || !file.settings.contains("added_tokens")) return decoder;
  for (const Json& token : file.settings["added_tokens"]) {
    const JsonFields fields(token, file.where + ": added_tokens");
    decoder[fields.integer("id", 0)] = AddedEntry::read(fields);
  }
  return decoder;
}

std::vector<AddedEntry> PretrainedFolder::tokens_to_add(const TokenizerFile& file,
                                                        const AddedVocabulary& added) const {
  const std::map<int64_t, AddedEntry> decoder = added_tokens_of(file);
  std::vector<AddedEntry> tokens;
  for (const auto& row : decoder) {
    const AddedEntry& token = row.second;
    const auto& known = added.entries();
    if (std::none_of(known.begin(), known.end(), [&](const auto& entry) { return entry.second == token; }))
      tokens.push_back(token);
  }
  std::vector<NamedToken> special = all_special();
  // The properties of an added token win over those that are given with its name.
  for (NamedToken& token : special)
    for (const auto& row : token.is_default ? added_ : decoder)
      if (row.second.content == token.content) token.entry = row.second;
  const auto is_special = [&](const std::string& content) {
    return std::any_of(special.begin(), special.end(),
                       [&](const NamedToken& t) { return t.content == content; });
  };
  for (AddedEntry& token : tokens) token.special = token.special || is_special(token.content);
  const std::vector<AddedEntry> from_files = tokens;
  for (const NamedToken& token : special) {
    if (!token.entry) {
      if (!added.id_of(token.content) && !has_content(from_files, token.content))
        tokens.push_back({token.content, false, false, false, false, true});
    } else if (std::find(from_files.begin(), from_files.end(), *token.entry) == from_files.end()) {
      tokens.push_back(*token.entry);
      tokens.back().special = true;
    }
  }
  return tokens;
}

std::unique_ptr<PostProcessor> PretrainedFolder::bos_template(const Pipeline::Stages& stages) const {
  Json single = Json::array(), special = Json::object();
  const auto put = [&](const char* key) {
    const auto token = named_token(key);
    if (!token) fail(where_, "add_{} is true but there is no {}", key, key);
    const auto added = stages.added.id_of(*token);
    const int32_t id = added ? *added : stages.model->vocabulary().id_of(*token);
    special[*token] = {{"id", *token}, {"ids", {id}}, {"tokens", {*token}}};
    single.push_back({{"SpecialToken", {{"id", *token}, {"type_id", 0}}}});
  };
  if (flag("add_bos_token", *class_->bos_template)) put("bos_token");
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  if (flag("add_eos_token", false)) put("eos_token");
  Json pair = single;
  for (Json part : single) {
    Json& value = part.begin().value();
    value["type_id"] = 1;
    if (part.contains("Sequence")) value["id"] = "B";
    pair.push_back(part);
  }
  const Json json = {
      {"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", special}};
  return make_post_processor(json, where_);
}

void PretrainedFolder::complete(const TokenizerFile& file, Pipeline::Stages& stages) const {
  stages.added.add(tokens_to_add(file, stages.added), *stages.model);
  stages.added.set_encode_special_tokens(split_special_tokens());
  stages.added.set_decode_normalized(version_5_);
  if (class_->bos_template) stages.post_processor = bos_template(stages);
}

}  // namespace galore
