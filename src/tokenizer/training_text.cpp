#include "tokenizer/training_text.h"

#include "core/errors.h"
#include "tokenizer/text_repair.h"

namespace galore {
namespace {

class PlainText : public TrainingText {
 public:
  PlainText(const Path& path, TextEncoding encoding) : lines_(path, kPiece, {}, encoding) {}

  bool next(std::string& line) override {
    if (!lines_.next(line)) return false;
    const std::string fault = utf8_fault(lines_.path().string(), lines_.line_number(), line);
    if (!fault.empty()) throw Error(fault);
    return true;
  }
  bool had_line_end() const override { return lines_.had_line_end(); }

 private:
  static constexpr size_t kPiece = 1 << 20;
  TextLines lines_;
};

}  // namespace

std::unique_ptr<TrainingText> open_plain_text(const Path& path, TextEncoding encoding) {
  return std::make_unique<PlainText>(path, encoding);
}

}  // namespace galore
