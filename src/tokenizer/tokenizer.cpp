#include "tokenizer/tokenizer.h"

#include "core/errors.h"
#include "core/file_kinds.h"
#include "tokenizer/json_tokenizer.h"
#include "tokenizer/pretrained.h"
#include "tokenizer/sentencepiece_tokenizer.h"
#include "tokenizer/tokenizer_config.h"

namespace galore {

// The only token behind a text that such tokenizers add is the end of text.
IdSequence Tokenizer::encode_row(std::string_view text, int64_t max_length) const {
  std::vector<int32_t> ids = encode(text, /*add_special_tokens=*/true);
  if (static_cast<int64_t>(ids.size()) > max_length) {
    const int32_t last = ids.back();
    ids.resize(static_cast<size_t>(max_length));
    if (eos_id() && last == *eos_id() && !ids.empty()) ids.back() = last;
  }
  IdSequence sequence;
  for (const int32_t id : ids) sequence.append(id, 0);
  return sequence;
}

IdSequence Tokenizer::encode_pair(std::string_view, std::string_view, bool, int64_t) const {
  fail("tokenizer", "pairs of texts: expected a tokenizer.json, which says how two texts are joined");
}

std::string combined_fingerprint(const std::vector<Path>& files) {
  std::string all;
  for (const Path& file : files) all += file.filename().string() + ":" + file_fingerprint(file) + ";";
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : all) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return fmt::format("{:016x}", hash);
}

std::unique_ptr<Tokenizer> load_tokenizer(const Path& path) {
  const std::string where = "tokenizer " + path.string();
  if (!std::filesystem::exists(path)) fail("tokenizer", "{}", missing_folder(path.string()));
  const bool is_folder = std::filesystem::is_directory(path);
  if (!is_folder && path.extension() == ".json") return JsonTokenizer::from_file(path);
  if (is_folder && std::filesystem::exists(path / "tokenizer.json")) {
    const PretrainedFolder pretrained(path);
    if (!pretrained.prefers_sentencepiece()) return JsonTokenizer::from_folder(path, pretrained);
  }
  const Path model = is_folder ? path / "tokenizer.model" : path;
  if (!std::filesystem::exists(model))
    fail(where, "expected a tokenizer.json or a tokenizer.model in the folder");
  // Configuration files in the folder belong to the model only if it has the name that transformers gives it.
  const bool has_settings = model.filename() == "tokenizer.model";
  TokenizerConfig config;
  if (has_settings) config = read_tokenizer_config(model.has_parent_path() ? model.parent_path() : Path("."));
  return std::make_unique<SentencePieceTokenizer>(model, std::move(config));
}

}  // namespace galore
