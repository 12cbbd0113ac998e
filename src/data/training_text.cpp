#include "data/training_text.h"

#include <algorithm>

#include "core/errors.h"

namespace galore {
namespace {

// Cuts the texts of rows into lines.
class RowText : public TrainingText {
 public:
  RowText(const Path& path, TextEncoding encoding)
      : path_(path), rows_(open_documents(path, {.encoding = encoding})) {}

  bool next(std::string& line) override {
    if (begin_ >= row_.text.size()) {
      begin_ = 0;
      if (!rows_->next(row_)) return false;
      if (row_.tokenized)
        fail(fmt::format("{}:{}", path_.string(), row_.line), "expected a row with text, given input_ids");
    }
    const size_t end = std::min(row_.text.find('\n', begin_), row_.text.size());
    line.assign(row_.text, begin_, end - begin_);
    ended_ = end < row_.text.size();
    begin_ = end + 1;
    return true;
  }
  bool had_line_end() const override { return ended_; }

 private:
  Path path_;
  std::unique_ptr<DocumentReader> rows_;
  Document row_;
  size_t begin_ = 0;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<TrainingText> open_training_text(const Path& path, TextEncoding encoding) {
  if (path.extension() == ".bin") fail(path.string(), "expected text, given a file of token ids");
  if (is_json_rows(path) || is_parquet(path)) return std::make_unique<RowText>(path, encoding);
  return open_plain_text(path, encoding);
}

}  // namespace galore
