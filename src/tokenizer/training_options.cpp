#include "tokenizer/training_options.h"

#include "core/errors.h"
#include "tokenizer/tokenizer_files.h"

namespace galore {

void check_training_files(const TokenizerTrainingOptions& options) {
  if (options.inputs.empty()) fail_usage(kTrainTokenizer, "input: expected at least one text file");
  if (options.output.empty()) fail_usage(kTrainTokenizer, "output: expected a folder");
}

void make_training_folder(const TokenizerTrainingOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.output, error);
  if (error)
    fail(kTrainTokenizer, "cannot create the folder {}: {}", options.output.string(), error.message());
  for (const Path& file : tokenizer_files_in(options.output)) std::filesystem::remove(file);
}

}  // namespace galore
