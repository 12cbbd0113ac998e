#include "tokenizer/tokenizer.h"

#include "core/errors.h"
#include "tokenizer/sentencepiece_tokenizer.h"
#include "tokenizer/tokenizer_config.h"

namespace galore {

std::unique_ptr<Tokenizer> load_tokenizer(const Path& path) {
  const std::string where = "tokenizer " + path.string();
  if (!std::filesystem::exists(path)) fail(where, "no such file or folder");
  const bool is_folder = std::filesystem::is_directory(path);
  const Path model = is_folder ? path / "tokenizer.model" : path;
  if (!is_folder && path.extension() == ".json")
    fail(where, "tokenizer.json is not supported yet; expected a SentencePiece tokenizer.model");
  if (!std::filesystem::exists(model)) {
    if (std::filesystem::exists(path / "tokenizer.json"))
      fail(where,
           "the folder has only a tokenizer.json, which is not supported yet; expected a tokenizer.model");
    fail(where, "expected a tokenizer.model in the folder");
  }
  // The settings beside a file belong to it only under the name that transformers gives it.
  const bool has_settings = model.filename() == "tokenizer.model";
  TokenizerConfig config;
  if (has_settings) config = read_tokenizer_config(model.has_parent_path() ? model.parent_path() : Path("."));
  return std::make_unique<SentencePieceTokenizer>(model, std::move(config));
}

}  // namespace galore
