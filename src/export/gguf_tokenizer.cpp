#include "export/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_map>

#include "core/errors.h"
#include "tokenizer/added_vocabulary.h"
#include "tokenizer/sentencepiece_model.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_file.h"

namespace galore {
namespace {

using Json = nlohmann::json;

enum Kind : int32_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct Tokens {
  std::vector<std::string> texts;
  std::vector<int32_t> kinds;
  std::vector<float> scores;  // SentencePiece only
};

// The patterns of words that llama.cpp knows, by the names that it has for them.
constexpr const char* kGpt2Words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::array<std::pair<std::string_view, const char*>, 4> kWordPatterns = {{
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "llama-bpe"},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "qwen2"},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "gpt-4o"},
    {kGpt2Words, "gpt-2"},
}};
// The name of GPT-2's words with each digit alone (StarCoder, Granite, SmolLM).
constexpr const char* kDigitsAlone = "smollm";

const Json* find(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? nullptr : &*found;
}

bool has_gpt2_words(const Json& part) {
  return part.value("type", "") == "ByteLevel" && part.value("use_regex", true) &&
         !part.value("add_prefix_space", true);
}

// Returns llama.cpp's name for the words of a byte-level pre-tokenizer, or "" where it has none.
std::string word_name(const Json* pre_tokenizer) {
  if (!pre_tokenizer) return "";
  if (has_gpt2_words(*pre_tokenizer)) return "gpt-2";
  const Json* parts = find(*pre_tokenizer, "pretokenizers");
  if (!parts || parts->size() != 2 || (*parts)[1].value("type", "") != "ByteLevel") return "";
  const Json& first = (*parts)[0];
  if (first.value("type", "") == "Digits")
    return first.value("individual_digits", false) && has_gpt2_words((*parts)[1]) ? kDigitsAlone : "";
  const Json* pattern = find(first, "pattern");
  if (!pattern || !pattern->contains("Regex")) return "";
  for (const auto& [known, name] : kWordPatterns)
    if ((*pattern)["Regex"] == known) return name;
  return "";
}

// Returns true if a text gets a space in front before it is cut into words.
bool adds_space_in_front(const Json* part) {
  if (!part) return false;
  const std::string type = part->value("type", "");
  if (type == "Prepend") return true;
  if (type == "Metaspace")
    return part->contains("prepend_scheme") ? part->value("prepend_scheme", "") != "never"
                                            : part->value("add_prefix_space", true);
  for (const char* list : {"normalizers", "pretokenizers"})
    if (const Json* parts = find(*part, list))
      for (const Json& one : *parts)
        if (adds_space_in_front(&one)) return true;
  return false;
}

bool is_sentencepiece_style(const TokenizerFile& file) {
  return file.settings["model"].value("byte_fallback", false) &&
         word_name(find(file.settings, "pre_tokenizer")).empty();
}

std::string words_of(const TokenizerFile& file) {
  const std::string name = word_name(find(file.settings, "pre_tokenizer"));
  if (name.empty())
    fail(file.where,
         "gguf: llama.cpp has no name for this pre_tokenizer; it knows the words of GPT-2 (also with single "
         "digits), Llama 3, Qwen2 and GPT-4o");
  // llama.cpp takes words that are tokens whole under "llama-bpe", and never under "smaug-bpe".
  const bool whole_words = file.settings["model"].value("ignore_merges", false);
  return name == "llama-bpe" && !whole_words ? "smaug-bpe" : name;
}

// llama.cpp refuses a file with more tokens than rows of the embedding.
[[noreturn]] void fail_beyond_model(const std::string& text, int64_t id, int64_t vocab_size) {
  fail("export", "gguf: token '{}' has id {}, but the model has {} tokens", text, id, vocab_size);
}

Tokens tokens_of(const TokenizerFile& file, int64_t vocab_size) {
  for (const auto& [text, id] : file.tables.vocab)
    if (id >= vocab_size) fail_beyond_model(text, id, vocab_size);
  Tokens tokens;
  for (int64_t id = 0; id < vocab_size; ++id) tokens.texts.push_back(fmt::format("[PAD{}]", id));
  tokens.kinds.assign(tokens.texts.size(), unused);
  for (const auto& [text, id] : file.tables.vocab) {
    tokens.texts[static_cast<size_t>(id)] = text;
    tokens.kinds[static_cast<size_t>(id)] = normal;
  }
  return tokens;
}

void take_added_tokens(const Json& settings, Tokens& tokens) {
  const Json* added = find(settings, "added_tokens");
  if (!added) return;
  for (const Json& token : *added) {
    const auto id = token.at("id").get<size_t>();
    if (id >= tokens.texts.size())
      fail_beyond_model(token.value("content", ""), static_cast<int64_t>(id),
                        static_cast<int64_t>(tokens.texts.size()));
    tokens.texts[id] = token.at("content").get<std::string>();
    tokens.kinds[id] = token.value("special", false) ? control : user_defined;
  }
}

bool is_byte(const std::string& text) {
  return text.size() == 6 && text.starts_with("<0x") && text.ends_with('>');
}

// llama.cpp merges the pair that makes the token with the highest score. The score is minus the best rank of
// a pair that makes it, so the order of merges stays.
void score_by_rank(const TokenizerFile& file, Tokens& tokens) {
  std::unordered_map<std::string, float> scores;
  for (size_t rank = 0; rank < file.tables.merges.size(); ++rank) {
    const auto& [left, right] = file.tables.merges[rank];
    scores.emplace(left + right, -static_cast<float>(rank));
  }
  const auto last = -static_cast<float>(file.tables.merges.size());
  for (size_t id = 0; id < tokens.texts.size(); ++id) {
    const std::string& text = tokens.texts[id];
    const auto found = scores.find(text);
    tokens.scores.push_back(found == scores.end() ? last : found->second);
    if (is_byte(text)) tokens.kinds[id] = byte;
  }
}

void mark_unknown(const TokenizerFile& file, Tokens& tokens, GgufMetadata& metadata) {
  const Json* text = find(file.settings["model"], "unk_token");
  const auto found = text ? std::find(tokens.texts.begin(), tokens.texts.end(), *text) : tokens.texts.end();
  if (found == tokens.texts.end()) return;
  const auto id = static_cast<size_t>(found - tokens.texts.begin());
  tokens.kinds[id] = unknown;
  metadata.add("tokenizer.ggml.unknown_token_id", static_cast<uint32_t>(id));
}

void add_special_ids(const Tokenizer& tokenizer, GgufMetadata& metadata) {
  const auto add = [&](const char* name, const std::optional<int64_t>& id) {
    if (id) metadata.add(std::string("tokenizer.ggml.") + name, static_cast<uint32_t>(*id));
  };
  add("bos_token_id", tokenizer.bos_id());
  add("eos_token_id", tokenizer.eos_id());
  add("padding_token_id", tokenizer.pad_id());
  const std::vector<int32_t> around = tokenizer.encode("", true);
  const auto holds = [&](const std::optional<int64_t>& id, bool first) {
    return id && !around.empty() && (first ? around.front() : around.back()) == *id;
  };
  metadata.add("tokenizer.ggml.add_bos_token", holds(tokenizer.bos_id(), true));
  metadata.add(
      "tokenizer.ggml.add_eos_token",
      holds(tokenizer.eos_id(), false) && (around.size() > 1 || tokenizer.eos_id() != tokenizer.bos_id()));
}

void add_chat_template(const Path& folder, GgufMetadata& metadata) {
  if (const Path file = folder / "chat_template.jinja"; std::filesystem::exists(file))
    return metadata.add("tokenizer.chat_template", read_file(file));
  const Path config = folder / "tokenizer_config.json";
  if (!std::filesystem::exists(config)) return;
  const Json json = read_tokenizer_json(config);
  const Json* given = find(json, "chat_template");
  if (!given) return;
  if (given->is_string()) return metadata.add("tokenizer.chat_template", given->get<std::string>());
  if (!given->is_array()) return;
  for (const Json& named : *given)
    if (named.value("name", "") == "default")
      metadata.add("tokenizer.chat_template", named.value("template", ""));
}

}  // namespace

void add_gguf_tokenizer(const Path& folder, int64_t vocab_size, GgufMetadata& metadata) {
  const Path path = folder / "tokenizer.json";
  if (!std::filesystem::exists(path)) {
    if (std::filesystem::exists(folder / "tokenizer.model"))
      fail("export", "gguf: {}: expected a tokenizer.json; save the tokenizer with transformers to get one",
           folder.string());
    return metadata.add("tokenizer.ggml.model", "no_vocab");
  }
  const TokenizerFile file = read_tokenizer_file(path);
  if (file.tables.vocab.empty() || file.settings["model"].value("type", "BPE") != "BPE")
    fail(file.where, "gguf: expected a BPE model, given {}", file.settings["model"].value("type", "another"));
  Tokens tokens = tokens_of(file, vocab_size);
  const bool sentencepiece = is_sentencepiece_style(file);
  if (sentencepiece) score_by_rank(file, tokens);
  take_added_tokens(file.settings, tokens);
  if (sentencepiece) mark_unknown(file, tokens, metadata);
  metadata.add("tokenizer.ggml.model", sentencepiece ? "llama" : "gpt2");
  metadata.add("tokenizer.ggml.pre", sentencepiece ? "default" : words_of(file));
  metadata.add("tokenizer.ggml.tokens", tokens.texts);
  metadata.add("tokenizer.ggml.token_type", tokens.kinds);
  if (sentencepiece) {
    metadata.add("tokenizer.ggml.scores", tokens.scores);
    metadata.add("tokenizer.ggml.add_space_prefix",
                 adds_space_in_front(find(file.settings, "normalizer")) ||
                     adds_space_in_front(find(file.settings, "pre_tokenizer")));
  } else {
    std::vector<std::string> merges;
    for (const auto& [left, right] : file.tables.merges) merges.push_back(left + " " + right);
    metadata.add("tokenizer.ggml.merges", merges);
  }
  add_special_ids(*load_tokenizer(folder), metadata);
  add_chat_template(folder, metadata);
}

}  // namespace galore
