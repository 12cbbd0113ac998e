#include "data/json_rows.h"

#include <simdjson.h>

#include "core/errors.h"
#include "data/json_repair.h"

namespace galore {
namespace {

constexpr size_t kLargestRow = 256u << 20, kRowPieceBytes = 1u << 20;
constexpr const char* kJsonBlanks = " \t\r\n";

// Turns the text of a row into a document.
class RowParser {
 public:
  RowParser(const Path& path, const DocumentFormat& format)
      : path_(path.string()), skips_(format.broken_rows == BrokenRows::skip), chat_rows_(format.chat_rows) {}

  // A broken row is an Error or, with BrokenRows::skip, a document with a fault. `row` is its number in a
  // list, from 1, or 0 where each line is a row.
  void take(std::string& text, int64_t line, Document& document, int64_t row = 0) {
    document.line = line_ = line;
    row_ = row;
    if (!skips_) return parse(text, document);
    try {
      parse(text, document);
    } catch (const Error& error) {
      document.clear();
      document.fault = error.what();
    }
  }

  void check_size(const std::string& text, int64_t line) {
    line_ = line;
    if (text.size() > kLargestRow) broken("a row is longer than {} MiB", kLargestRow >> 20);
  }

  template <typename... Args>
  [[noreturn]] void broken(fmt::format_string<Args...> format, Args&&... args) {
    const std::string row = row_ > 0 ? fmt::format(", row {}", row_) : "";
    fail(fmt::format("{}:{}{}", path_, line_, row), format, std::forward<Args>(args)...);
  }

 private:
  void parse(std::string& json, Document& document) {
    json.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    simdjson::dom::element element;
    auto error = parser_.parse(json.data(), json.size(), false).get(element);
    if (error && replace_python_numbers(json)) {
      json.reserve(json.size() + simdjson::SIMDJSON_PADDING);
      error = parser_.parse(json.data(), json.size(), false).get(element);
    }
    if (error && has_half_surrogate(json))
      broken("expected text, given half of a surrogate pair (an escape such as \\ud83d alone)");
    if (error)
      broken("expected a JSON object in one line, or a .json file with one list of objects: {}",
             simdjson::error_message(error));
    simdjson::dom::object row;
    if (element.get(row)) broken("expected a JSON object; one list of rows is read from a .json file");
    simdjson::dom::element value;
    if (!row["input_ids"].get(value)) {
      document.tokenized = true;
      read_integers(value, "input_ids", document.ids);
      document.has_labels = !row["labels"].get(value);
      if (document.has_labels) read_integers(value, "labels", document.labels);
      if (document.has_labels && document.labels.size() != document.ids.size())
        broken("expected as many labels as input_ids, given {} and {}", document.labels.size(),
               document.ids.size());
      if (!row["attention_mask"].get(value)) leave_out_masked(value, document);
      return;
    }
    if (chat_rows_ && (row["text"].get(value) || !row["messages"].get(value))) {
      document.is_chat = true;
      document.text = json;
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

  // Padding of rows that another program has tokenized is neither read nor learned.
  void leave_out_masked(const simdjson::dom::element& value, Document& document) {
    std::vector<int32_t> mask;
    read_integers(value, "attention_mask", mask);
    if (mask.size() != document.ids.size())
      broken("expected as many numbers in attention_mask as input_ids, given {} and {}", mask.size(),
             document.ids.size());
    for (std::vector<int32_t>* tokens : {&document.ids, &document.labels}) {
      size_t kept = 0;
      for (size_t t = 0; t < tokens->size(); ++t)
        if (mask[t] != 0) (*tokens)[kept++] = (*tokens)[t];
      tokens->resize(kept);
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

  std::string path_;
  bool skips_, chat_rows_;
  int64_t line_ = 0, row_ = 0;
  simdjson::dom::parser parser_;
};

class JsonLinesReader : public DocumentReader {
 public:
  JsonLinesReader(const Path& path, const DocumentFormat& format, const TextPlace& begin)
      : lines_(path, kRowPieceBytes, begin, format.encoding), parser_(path, format) {}

  TextPlace place() const override { return lines_.place(); }
  double share() const override { return lines_.share(); }

  bool next(Document& document) override {
    do {
      document.clear();
      if (!read_row()) return false;
      parser_.take(row_, lines_.line_number(), document);
    } while (leaves_out(document));
    return true;
  }

 private:
  bool read_row() {
    row_.clear();
    while (lines_.next(piece_)) {
      row_ += piece_;
      parser_.check_size(row_, lines_.line_number());
      if (!lines_.line_ended()) continue;
      if (row_.find_first_not_of(kJsonBlanks) != std::string::npos) return true;
      row_.clear();
    }
    return false;
  }

  TextLines lines_;
  RowParser parser_;
  std::string row_, piece_;
};

// Cuts the rows out of one JSON list without reading the whole file. Errors of the list's own structure are
// never skipped, because the rows after them cannot be found.
class JsonListReader : public DocumentReader {
 public:
  JsonListReader(const Path& path, const DocumentFormat& format, const TextPlace& begin)
      : lines_(path, kRowPieceBytes, {}, format.encoding), parser_(path, format) {
    next_character();  // the opening bracket
    while (rows_ < begin.offset)
      if (!read_row()) fail(path.string(), "expected at least {} rows, the list has {}", begin.offset, rows_);
  }

  TextPlace place() const override { return {rows_, line(), false}; }
  double share() const override { return lines_.share(); }

  bool next(Document& document) override {
    do {
      document.clear();
      if (!read_row()) return false;
      parser_.take(row_, row_line_, document, rows_);
    } while (leaves_out(document));
    return true;
  }

 private:
  int64_t line() const { return lines_.line_number(); }

  // Returns the next character of the file, with the end of the file as an Error.
  char get() {
    while (at_ == piece_.size()) {
      at_ = 0;
      if (!lines_.next(piece_)) broken("the file ends inside the list of rows, expected ']'");
      if (lines_.line_ended()) piece_ += '\n';
    }
    return piece_[at_++];
  }

  char next_character() {
    char c = get();
    while (std::string_view(kJsonBlanks).find(c) != std::string_view::npos) c = get();
    return c;
  }

  bool read_row() {
    if (ended_) return false;
    char c = next_character();
    if (c == ']') return end_list();
    if (rows_ > 0) {
      if (c != ',') broken("expected ',' or ']' behind a row, given '{}'", c);
      c = next_character();
    }
    if (c != '{') broken("expected a list of JSON objects, given '{}' at the start of a row", c);
    read_object();
    ++rows_;
    return true;
  }

  void read_object() {
    row_ = "{";
    row_line_ = line();
    bool in_string = false;
    for (int64_t depth = 1; depth > 0;) {
      const char c = get();
      row_ += c;
      if (c == '\\' && in_string) row_ += get();
      if (c == '"') in_string = !in_string;
      if (in_string) continue;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      if (c == '\n') parser_.check_size(row_, row_line_);
    }
  }

  bool end_list() {
    ended_ = true;
    std::string rest = piece_.substr(at_);
    do {
      if (rest.find_first_not_of(kJsonBlanks) != std::string::npos)
        broken("expected nothing behind the list of rows");
    } while (lines_.next(rest));
    return false;
  }

  template <typename... Args>
  [[noreturn]] void broken(fmt::format_string<Args...> format, Args&&... args) {
    fail(fmt::format("{}:{}", lines_.path().string(), line()), format, std::forward<Args>(args)...);
  }

  TextLines lines_;
  RowParser parser_;
  std::string row_, piece_;
  size_t at_ = 0;  // position in piece_
  int64_t rows_ = 0, row_line_ = 0;
  bool ended_ = false;
};

bool begins_a_list(const Path& path, const DocumentFormat& format) {
  if (without_compression(path).extension() != ".json") return false;
  TextLines lines(path, kRowPieceBytes, {}, format.encoding);
  for (std::string piece; lines.next(piece);) {
    const size_t first = piece.find_first_not_of(kJsonBlanks);
    if (first != std::string::npos) return piece[first] == '[';
  }
  return false;
}

}  // namespace

std::unique_ptr<DocumentReader> open_json_rows(const Path& path, const DocumentFormat& format,
                                               const TextPlace& begin) {
  if (begins_a_list(path, format)) return std::make_unique<JsonListReader>(path, format, begin);
  return std::make_unique<JsonLinesReader>(path, format, begin);
}

}  // namespace galore
