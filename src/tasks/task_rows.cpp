#include "tasks/task_rows.h"

#include <algorithm>
#include <optional>

#include "core/errors.h"
#include "data/documents.h"
#include "tokenizer/text_lines.h"

namespace galore {
namespace {

using Fields = std::vector<std::string>;

std::string place(const TextLines& lines) {
  return fmt::format("{}:{}", lines.path().string(), lines.line_number());
}

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r") == std::string::npos; }

// Returns false at the end of the file.
bool next_line(TextLines& lines, std::string& line) {
  std::string piece;
  line.clear();
  while (lines.next(piece)) {
    line += piece;
    if (lines.line_ended()) return true;
  }
  return !line.empty();
}

Fields split_tabs(const std::string& line) {
  Fields fields(1);
  for (const char c : line) {
    if (c == '\t')
      fields.emplace_back();
    else
      fields.back() += c;
  }
  return fields;
}

// Splits a record of a .csv file. Returns nothing if a quoted field is still open at the end of `text`.
std::optional<Fields> split_commas(const std::string& text) {
  Fields fields(1);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back() += c;
      ++i;
    } else if (c == '"' && (quoted || fields.back().empty())) {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return quoted ? std::nullopt : std::optional<Fields>(fields);
}

// Hands rows on, and remembers whether there was one.
class RowVisit {
 public:
  RowVisit(const TakeTaskRow& take, const SkipTaskRow& skip) : take_(take), skip_(skip) {}

  // Makes a row and hands it on. Returns false if no more rows are wanted.
  template <typename MakeRow>
  bool operator()(const MakeRow& make) {
    saw_rows_ = true;
    try {
      return take_(make());
    } catch (const Error& error) {
      if (!skip_) throw;
      skip_(error);
      return true;
    }
  }
  bool saw_rows() const { return saw_rows_; }

 private:
  const TakeTaskRow& take_;
  const SkipTaskRow& skip_;
  bool saw_rows_ = false;
};

class TableReader {
 public:
  TableReader(const Path& path, const TableLayout& layout)
      : lines_(path), layout_(layout), quotes_(without_compression(path).extension() == ".csv") {}

  // Returns false if no more rows are wanted.
  bool read(RowVisit& visit) {
    Fields fields;
    if (!next(fields)) return true;
    if (const bool named = find_columns(fields); named && !next(fields)) return true;
    do {
      if (layout_.leaves_out_short_lines && !has_columns(fields)) continue;
      if (!visit([&] { return row_of(fields); })) return false;
    } while (next(fields));
    return true;
  }

 private:
  bool next(Fields& fields) {
    std::string record, line;
    while (next_line(lines_, line)) {
      record += record.empty() ? line : "\n" + line;
      if (is_blank(record)) {
        record.clear();
        continue;
      }
      const auto split = quotes_ ? split_commas(record) : split_tabs(record);
      if (!split) continue;
      fields = *split;
      where_ = place(lines_);
      return true;
    }
    if (!record.empty()) fail(place(lines_), "a quoted field does not end");
    return false;
  }

  // Finds the columns by their names or, if the line names none of the layout's, by their places. Returns
  // whether the line holds names.
  bool find_columns(const Fields& first) {
    if (layout_.columns.empty()) {
      for (size_t i = 0; i < first.size(); ++i) places_.push_back({first[i], i});
      return true;
    }
    bool named = false;
    for (const TableColumn& column : layout_.columns) {
      const auto found = std::find_if(first.begin(), first.end(),
                                      [&](const std::string& name) { return column.is_named(name); });
      named = named || found != first.end();
      if (found != first.end()) places_.push_back({column.key, static_cast<size_t>(found - first.begin())});
    }
    if (named) return true;
    for (const TableColumn& column : layout_.columns)
      places_.push_back(
          {column.key, column.index < 0 ? first.size() - 1 : static_cast<size_t>(column.index)});
    return false;
  }

  bool has_columns(const Fields& fields) const {
    return std::all_of(places_.begin(), places_.end(),
                       [&](const auto& place) { return place.second < fields.size(); });
  }

  TaskRow row_of(const Fields& fields) const {
    TaskRow row{nlohmann::json::object(), where_};
    for (const auto& [key, index] : places_) {
      if (index >= fields.size())
        fail(where_, "expected at least {} columns, given {}", index + 1, fields.size());
      row.values[key] = fields[index];
    }
    return row;
  }

  TextLines lines_;
  TableLayout layout_;
  bool quotes_;
  std::vector<std::pair<std::string, size_t>> places_;
  std::string where_;
};

// Gives the values of a row the layout's keys, if the row has another name for each of its columns, or for
// each but the label.
void rename_columns(const TableLayout& layout, nlohmann::json& values) {
  std::vector<std::pair<std::string, std::string>> names;
  for (const TableColumn& column : layout.columns)
    for (const auto& [name, value] : values.items())
      if (column.is_named(name)) names.emplace_back(column.key, name);
  const bool has_label = values.contains("label");
  const auto is_label = [](const auto& name) { return name.first == "label"; };
  if (has_label) std::erase_if(names, is_label);
  if (names.size() + (has_label ? 1 : 0) != layout.columns.size()) return;
  nlohmann::json renamed = values;
  for (const auto& [key, name] : names) renamed[key] = values[name];
  values = std::move(renamed);
}

class JsonRows {
 public:
  JsonRows(const Path& path, const TableLayout& layout) : lines_(path), layout_(layout) {}

  // Returns false if no more rows are wanted.
  bool read(RowVisit& visit) {
    std::string line;
    bool is_first = true;
    while (next_line(lines_, line)) {
      if (is_blank(line)) continue;
      if (is_first && line[line.find_first_not_of(" \t")] == '[') return read_list(line, visit);
      is_first = false;
      if (!visit([&] { return row_of(line, place(lines_)); })) return false;
    }
    return true;
  }

 private:
  TaskRow row_of(const std::string& text, const std::string& where) const {
    TaskRow row{nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false), where, text};
    if (!row.values.is_object()) fail(where, "expected a JSON object");
    rename_columns(layout_, row.values);
    return row;
  }
  bool read_list(std::string text, RowVisit& visit) {
    for (std::string line; next_line(lines_, line);) text += "\n" + line;
    const auto list = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!list.is_array()) fail(lines_.path().string(), "expected a JSON object in each line, or one list");
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string where = fmt::format("{}: row {}", lines_.path().string(), i + 1);
      if (!visit([&] { return row_of(list[i].dump(), where); })) return false;
    }
    return true;
  }

  TextLines lines_;
  const TableLayout& layout_;
};

}  // namespace

void visit_task_rows(const std::vector<std::string>& files, const TableLayout& layout,
                     const TakeTaskRow& take, const SkipTaskRow& skip) {
  RowVisit visit(take, skip);
  for (const std::string& pattern : files)
    for (const Path& path : expand_glob(pattern)) {
      const std::string extension = without_compression(path).extension().string();
      const bool is_table =
          extension == ".tsv" || extension == ".csv" || (extension == ".txt" && !layout.columns.empty());
      if (!is_json_rows(path) && !is_table)
        fail(path.string(), "expected a .jsonl, .tsv or .csv file, given the extension '{}'", extension);
      if (!(is_table ? TableReader(path, layout).read(visit) : JsonRows(path, layout).read(visit))) return;
    }
  if (!visit.saw_rows()) fail(files.empty() ? "data" : files.front(), "expected rows, given none");
}

}  // namespace galore
