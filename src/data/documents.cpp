#include "data/documents.h"

#include <simdjson.h>

#include <array>

#include "core/errors.h"
#include "core/options.h"
#include "data/parquet.h"
#include "tokenizer/text_lines.h"

namespace galore {
namespace {

constexpr size_t kLargestRow = 256u << 20, kPieceBytes = 1u << 20;
constexpr std::array kTextNames = {"paragraph", "line", "file"};

class TextReader : public DocumentReader {
 public:
  TextReader(const Path& path, TextDocuments kind, const TextPlace& begin)
      : lines_(path, kPieceBytes, begin), kind_(kind), fresh_line_(!begin.inside_line) {}

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
    return !document.text.empty() || (found && kind_ == TextDocuments::line && keeps_empty_rows());
  }

 private:
  TextLines lines_;
  TextDocuments kind_;
  std::string piece_;
  bool fresh_line_;
};

class JsonLinesReader : public DocumentReader {
 public:
  JsonLinesReader(const Path& path, BrokenRows broken, const TextPlace& begin)
      : lines_(path, kPieceBytes, begin), skips_(broken == BrokenRows::skip) {}

  TextPlace place() const override { return lines_.place(); }
  double share() const override { return lines_.share(); }

  bool next(Document& document) override {
    do {
      document.clear();
      if (!read_row()) return false;
      document.line = lines_.line_number();
      take_row(document);
    } while (leaves_out(document));
    return true;
  }

 private:
  bool read_row() {
    row_.clear();
    while (lines_.next(piece_)) {
      row_ += piece_;
      if (row_.size() > kLargestRow) broken("a row is longer than {} MiB", kLargestRow >> 20);
      if (!lines_.line_ended()) continue;
      if (row_.find_first_not_of(" \t\r") != std::string::npos) return true;
      row_.clear();
    }
    return false;
  }

  void take_row(Document& document) {
    if (!skips_) return parse_row(document);
    try {
      parse_row(document);
    } catch (const Error& error) {
      document.clear();
      document.fault = error.what();
    }
  }

  void parse_row(Document& document) {
    row_.reserve(row_.size() + simdjson::SIMDJSON_PADDING);
    simdjson::dom::element element;
    const auto error = parser_.parse(row_.data(), row_.size(), false).get(element);
    if (error) broken("expected a JSON row: {}", simdjson::error_message(error));
    simdjson::dom::object row;
    if (element.get(row)) broken("expected a JSON object");
    simdjson::dom::element value;
    if (!row["input_ids"].get(value)) {
      document.tokenized = true;
      read_integers(value, "input_ids", document.ids);
      document.has_labels = !row["labels"].get(value);
      if (!document.has_labels) return;
      read_integers(value, "labels", document.labels);
      if (document.labels.size() != document.ids.size())
        broken("expected as many labels as input_ids, given {} and {}", document.labels.size(),
               document.ids.size());
      return;
    }
    std::string_view text;
    if (row["text"].get(value)) broken("expected 'text' or 'input_ids'; the row has {}", keys_of(row));
    if (value.get(text)) broken("text: expected a string");
    document.text = text;
  }

  void read_integers(const simdjson::dom::element& value, const char* key, std::vector<int32_t>& target) {
    simdjson::dom::array array;
    if (value.get(array)) broken("{}: expected a list of whole numbers", key);
    for (const simdjson::dom::element item : array) {
      int64_t number = 0;
      if (item.get(number) || number < INT32_MIN || number > INT32_MAX)
        broken("{}: expected whole numbers of 32 bits", key);
      target.push_back(static_cast<int32_t>(number));
    }
  }

  static std::string keys_of(const simdjson::dom::object& row) {
    std::string keys;
    for (const auto field : row) {
      if (keys.size() > 200) return keys + ", ...";
      keys += (keys.empty() ? "'" : ", '") + std::string(field.key) + "'";
    }
    return keys.empty() ? "no keys" : keys;
  }

  template <typename... Args>
  [[noreturn]] void broken(fmt::format_string<Args...> format, Args&&... args) {
    fail(fmt::format("{}:{}", lines_.path().string(), lines_.line_number()), format,
         std::forward<Args>(args)...);
  }

  TextLines lines_;
  bool skips_;
  simdjson::dom::parser parser_;
  std::string row_, piece_;
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

bool is_json_lines(const Path& path) {
  const std::string extension = without_compression(path).extension().string();
  return extension == ".jsonl" || extension == ".json" || extension == ".ndjson";
}

bool is_parquet(const Path& path) { return path.extension() == ".parquet"; }

std::unique_ptr<DocumentReader> open_documents(const Path& path, TextDocuments kind, BrokenRows broken,
                                               const TextPlace& begin) {
  if (is_json_lines(path)) return std::make_unique<JsonLinesReader>(path, broken, begin);
  if (is_parquet(path)) return open_parquet(path, broken, begin);
  const std::string extension = without_compression(path).extension().string();
  if (extension != ".txt" && extension != ".text" && extension != ".md" && !extension.empty())
    fail(path.string(),
         "expected a .txt, .jsonl, .parquet or .bin file, also .txt.gz or .jsonl.zst, given the extension "
         "'{}'",
         path.extension().string());
  return std::make_unique<TextReader>(path, kind, begin);
}

}  // namespace galore
