#include "data/documents.h"

#include <array>

#include "core/errors.h"
#include "core/options.h"
#include "data/json_rows.h"
#include "data/parquet.h"
#include "tokenizer/text_lines.h"
#include "tokenizer/text_repair.h"

namespace galore {
namespace {

constexpr size_t kPieceBytes = 1u << 20;
constexpr std::array kTextNames = {"paragraph", "line", "file"};

class TextReader : public DocumentReader {
 public:
  TextReader(const Path& path, const DocumentFormat& format, const TextPlace& begin)
      : lines_(path, kPieceBytes, begin, format.encoding),
        kind_(format.text_documents),
        skips_(format.broken_rows == BrokenRows::skip),
        fresh_line_(!begin.inside_line) {}

  TextPlace place() const override { return lines_.place(); }
  double share() const override { return lines_.share(); }

  bool next(Document& document) override {
    document.clear();
    const bool keeps_blank =
        kind_ == TextDocuments::file || (kind_ == TextDocuments::line && keeps_empty_rows());
    bool found = false;
    while (lines_.next(piece_)) {
      found = true;
      const bool blank =
          fresh_line_ && lines_.line_ended() && piece_.find_first_not_of(" \t\r") == std::string::npos;
      fresh_line_ = lines_.line_ended();
      if (blank && !keeps_blank) {
        if (document.text.empty()) continue;
        break;
      }
      if (document.text.empty()) document.line = lines_.line_number();
      document.text += piece_;
      const bool line_done = kind_ == TextDocuments::line && lines_.line_ended();
      if (line_done || document.text.size() >= kLargestDocument) break;
      if (lines_.had_line_end()) document.text += '\n';
    }
    // A paragraph ends before its last line end. A whole file is kept unchanged.
    if (kind_ == TextDocuments::paragraph && document.text.ends_with('\n')) document.text.pop_back();
    if (document.text.empty()) return found && kind_ == TextDocuments::line && keeps_empty_rows();
    document.fault = utf8_fault(lines_.path().string(), document.line, document.text);
    if (!document.fault.empty() && !skips_) throw Error(document.fault);
    return true;
  }

 private:
  TextLines lines_;
  TextDocuments kind_;
  bool skips_;
  std::string piece_;
  bool fresh_line_;
};

}  // namespace

TextDocuments text_documents_from_name(const std::string& name) {
  for (size_t i = 0; i < kTextNames.size(); ++i)
    if (canonical_name(name) == kTextNames[i]) return static_cast<TextDocuments>(i);
  fail_usage("text_documents", "expected paragraph, line or file, given '{}'", name);
}

const char* text_documents_name(TextDocuments kind) { return kTextNames[static_cast<size_t>(kind)]; }

void require_labels_as_before(bool first_has_labels, const Document& document, const Path& path) {
  if (first_has_labels == document.has_labels) return;
  fail(fmt::format("{}:{}", path.string(), document.line),
       "expected 'labels' in every row or in none; the first row {} them",
       first_has_labels ? "has" : "has not");
}

bool is_json_rows(const Path& path) {
  const std::string extension = without_compression(path).extension().string();
  return extension == ".jsonl" || extension == ".json" || extension == ".ndjson";
}

bool is_parquet(const Path& path) { return path.extension() == ".parquet"; }

std::unique_ptr<DocumentReader> open_documents(const Path& path, const DocumentFormat& format,
                                               const TextPlace& begin) {
  if (is_json_rows(path)) return open_json_rows(path, format, begin);
  if (is_parquet(path)) return open_parquet(path, format.broken_rows, begin);
  const std::string extension = without_compression(path).extension().string();
  if (extension != ".txt" && extension != ".text" && extension != ".md" && !extension.empty())
    fail(path.string(),
         "expected a .txt, .jsonl, .parquet or .bin file, also .txt.gz or .jsonl.zst, given the extension "
         "'{}'",
         path.extension().string());
  return std::make_unique<TextReader>(path, format, begin);
}

}  // namespace galore
