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
constexpr std::array<std::pair<std::string_view, const char*>, 3> kWordPatterns = {{
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "llama-bpe"},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "qwen2"},
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", "gpt-2"},
}};

const Json* find(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? nullptr : &*found;
}

// Returns the pattern of words of a byte-level pre-tokenizer, or "" for any other.
std::string word_pattern(const Json* pre_tokenizer) {
  if (!pre_tokenizer) return "";
  if (pre_tokenizer->value("type", "") == "ByteLevel")
    return pre_tokenizer->value("use_regex", true) && !pre_tokenizer->value("add_prefix_space", true)
               ? std::string(kWordPatterns[2].first)
               : "";
  const Json* parts = find(*pre_tokenizer, "pretokenizers");
  if (!parts || parts->size() != 2 || (*parts)[1].value("type", "") != "ByteLevel") return "";
  const Json* pattern = find((*parts)[0], "pattern");
  return pattern && pattern->contains("Regex") ? (*pattern)["Regex"].get<std::string>() : "";
}

bool is_sentencepiece_style(const TokenizerFile& file) {
  return file.settings["model"].value("byte_fallback", false) &&
         word_pattern(find(file.settings, "pre_tokenizer")).empty();
}

const char* words_of(const TokenizerFile& file) {
  const std::string pattern = word_pattern(find(file.settings, "pre_tokenizer"));
  for (const auto& [known, name] : kWordPatterns) {
    if (pattern != known) continue;
    // llama.cpp takes words that are tokens whole under "llama-bpe" only.
    const bool whole_words = file.settings["model"].value("ignore_merges", false);
    return std::string_view(name) == "llama-bpe" && !whole_words ? "smaug-bpe" : name;
  }
  fail(file.where,
       "gguf: llama.cpp has no name for this pre_tokenizer; it knows the words of GPT-2, Llama 3 and Qwen2");
}

Tokens tokens_of(const TokenizerFile& file, int64_t vocab_size) {
  int64_t count = vocab_size;
  for (const auto& row : file.tables.vocab) count = std::max<int64_t>(count, row.second + 1);
  Tokens tokens;
  for (int64_t id = 0; id < count; ++id) tokens.texts.push_back(fmt::format("[PAD{}]", id));
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
      fail("export", "gguf: token '{}' has id {}, but the model has {} tokens", token.value("content", ""),
           id, tokens.texts.size());
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
    metadata.add("tokenizer.ggml.add_space_prefix", true);
  } else {
    std::vector<std::string> merges;
    for (const auto& [left, right] : file.tables.merges) merges.push_back(left + " " + right);
    metadata.add("tokenizer.ggml.merges", merges);
  }
  add_special_ids(*load_tokenizer(folder), metadata);
  add_chat_template(folder, metadata);
}

}  // namespace galore
