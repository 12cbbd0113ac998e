#include "tokenizer/tokenizer_files.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/errors.h"

namespace galore {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTemplateFolder = "additional_chat_templates";
constexpr std::array kNames = {"tokenizer.json",
                               "tokenizer_config.json",
                               "special_tokens_map.json",
                               "added_tokens.json",
                               "chat_template.jinja",
                               "chat_template.json",
                               "tokenizer.model",
                               "spiece.model",
                               "spm.model",
                               "sentencepiece.model",
                               "sentencepiece.bpe.model",
                               "tiktoken.model",
                               "tekken.json",
                               "vocab.json",
                               "vocab.txt",
                               "merges.txt",
                               "bpe.codes",
                               "normalizer.json"};

bool is_same_file(const Path& a, const Path& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

}  // namespace

std::vector<Path> tokenizer_files_in(const Path& folder) {
  std::vector<Path> files;
  std::error_code error;
  for (const char* name : kNames)
    if (fs::is_regular_file(folder / name, error)) files.push_back(folder / name);
  for (fs::directory_iterator it(folder / kTemplateFolder, error), end; !error && it != end;
       it.increment(error))
    if (it->path().extension() == ".jinja") files.push_back(it->path());
  std::sort(files.begin(), files.end());
  return files;
}

void add_tokenizer_files_in(const Path& folder, std::vector<Path>& files) {
  for (const Path& file : tokenizer_files_in(folder))
    if (std::find(files.begin(), files.end(), file) == files.end()) files.push_back(file);
}

Path place_in_tokenizer_folder(const Path& file) {
  const bool is_template = file.parent_path().filename() == kTemplateFolder;
  return is_template ? Path(kTemplateFolder) / file.filename() : file.filename();
}

void replace_tokenizer_files(const Path& folder, const std::vector<Path>& files) {
  std::set<Path> kept;
  for (const Path& file : files) {
    const Path target = folder / place_in_tokenizer_folder(file);
    kept.insert(target);
    if (is_same_file(file, target)) {
      const std::vector<Path> own = tokenizer_files_in(folder);
      kept.insert(own.begin(), own.end());
      continue;
    }
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    if (error)
      fail("save", "cannot create the folder {}: {}", target.parent_path().string(), error.message());
    write_file_atomically(target, read_file(file));
  }
  for (const Path& file : tokenizer_files_in(folder))
    if (!kept.contains(file)) fs::remove(file);
  std::error_code not_empty;
  fs::remove(folder / kTemplateFolder, not_empty);
}

}  // namespace galore
