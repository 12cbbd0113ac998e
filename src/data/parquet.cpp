#include "data/parquet.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/file_reader.h>
#include <simdjson.h>

#include <utility>

#include "core/errors.h"

namespace galore {
namespace {

// Arrow decodes kBatchRows rows at once and reads kReadBytes bytes of a column ahead.
constexpr int64_t kBatchRows = 256, kReadBytes = 1 << 20;

// Turns Arrow's error statuses and exceptions into an Error that names the file.
template <typename Function>
auto guarded(const Path& path, Function function) {
  try {
    return function();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail(path.string(), "the Parquet file is damaged or of an unknown kind: {}", first_line(error.what()));
  }
}

void require(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}

template <typename T>
T value_of(arrow::Result<T> result) {
  require(result.status());
  return std::move(result).ValueUnsafe();
}

std::unique_ptr<parquet::arrow::FileReader> open_arrow(const Path& path) {
  // Arrow's own memory pool would keep freed memory.
  arrow::MemoryPool* pool = arrow::system_memory_pool();
  parquet::ReaderProperties pages(pool);
  pages.enable_buffered_stream();
  pages.set_buffer_size(kReadBytes);
  parquet::ArrowReaderProperties batches(false);
  batches.set_batch_size(kBatchRows);
  batches.set_pre_buffer(false);
  parquet::arrow::FileReaderBuilder builder;
  require(builder.Open(value_of(arrow::io::ReadableFile::Open(path.string(), pool)), pages));
  std::unique_ptr<parquet::arrow::FileReader> reader;
  require(builder.memory_pool(pool)->properties(batches)->Build(&reader));
  return reader;
}

void add_leaves(const parquet::arrow::SchemaField& field, std::vector<int>& leaves) {
  if (field.is_leaf()) leaves.push_back(field.column_index);
  for (const auto& child : field.children) add_leaves(child, leaves);
}

class ParquetReader : public DocumentReader {
 public:
  ParquetReader(const Path& path, BrokenRows broken, const TextPlace& begin)
      : path_(path), skips_(broken == BrokenRows::skip) {
    guarded(path_, [&] {
      reader_ = open_arrow(path_);
      num_rows_ = reader_->parquet_reader()->metadata()->num_rows();
      choose_columns();
      go_to(begin.offset);
    });
  }

  TextPlace place() const override { return {row_, row_, false}; }
  double share() const override {
    return num_rows_ > 0 ? static_cast<double>(row_) / static_cast<double>(num_rows_) : 1;
  }

  bool next(Document& document) override {
    do {
      document.clear();
      if (!guarded(path_, [&] { return next_row(); })) return false;
      document.line = row_;
      take_row(document);
    } while (leaves_out(document));
    return true;
  }

 private:
  // The rule is the one for rows of a .jsonl file: `input_ids` take precedence over `text`, and `labels` are
  // read only together with `input_ids`.
  void choose_columns() {
    const auto& fields = reader_->manifest().schema_fields;
    const auto find = [&](const char* name) {
      for (const auto& field : fields)
        if (field.field->name() == name) {
          add_leaves(field, leaves_);
          return true;
        }
      return false;
    };
    has_ids_ = find("input_ids");
    if (has_ids_) has_labels_ = find("labels");
    if (has_ids_ || find("text")) return;
    std::string names;
    for (const auto& field : fields) names += (names.empty() ? "'" : ", '") + field.field->name() + "'";
    fail(path_.string(), "expected a column 'text' or 'input_ids'; the file has {}",
         names.empty() ? "none" : names.substr(0, 200));
  }

  void go_to(int64_t row) {
    if (row < 0 || row > num_rows_)
      fail(path_.string(), "expected at least {} rows, the file has {}", row, num_rows_);
    const auto metadata = reader_->parquet_reader()->metadata();
    int64_t rows = 0;
    for (; group_ < reader_->num_row_groups(); ++group_) {
      rows = metadata->RowGroup(group_)->num_rows();
      if (row_ + rows > row) break;
      row_ += rows;
    }
    while (row_ < row && next_row()) {
    }
  }

  // Moves to the next row: index in_batch_ of batch_, number row_ counted from 1. Returns false at the end.
  bool next_row() {
    while (!batch_ || ++in_batch_ >= batch_->num_rows()) {
      in_batch_ = -1;
      if (batches_) require(batches_->ReadNext(&batch_));
      if (batches_ && batch_) {
        require(batch_->Validate());
        continue;
      }
      if (group_ >= reader_->num_row_groups()) return end();
      batches_.reset();
      batches_ = value_of(reader_->GetRecordBatchReader({group_++}, leaves_));
    }
    ++row_;
    return true;
  }

  bool end() {
    batches_.reset();
    if (row_ != num_rows_) fail(path_.string(), "expected {} rows, the file has {}", num_rows_, row_);
    return false;
  }

  void take_row(Document& document) {
    if (!skips_) return read_row(document);
    try {
      read_row(document);
    } catch (const Error& error) {
      document.clear();
      document.fault = error.what();
    }
  }

  void read_row(Document& document) {
    if (!has_ids_) return read_text(*column("text"), document.text);
    document.tokenized = true;
    read_integers(*column("input_ids"), "input_ids", document.ids);
    document.has_labels = has_labels_;
    if (!has_labels_) return;
    read_integers(*column("labels"), "labels", document.labels);
    if (document.labels.size() != document.ids.size())
      broken("expected as many labels as input_ids, given {} and {}", document.labels.size(),
             document.ids.size());
  }

  std::shared_ptr<arrow::Array> column(const char* name) const {
    for (int i = 0; i < batch_->num_columns(); ++i)
      if (batch_->column_name(i) == name) return batch_->column(i);
    fail(path_.string(), "the column '{}' has no values", name);
  }

  void read_text(const arrow::Array& array, std::string& text) const {
    if (array.IsNull(in_batch_)) broken("text: expected a string, given null");
    std::string_view view;
    switch (array.type_id()) {
      case arrow::Type::STRING:
      case arrow::Type::BINARY:
        view = static_cast<const arrow::BinaryArray&>(array).GetView(in_batch_);
        break;
      case arrow::Type::LARGE_STRING:
      case arrow::Type::LARGE_BINARY:
        view = static_cast<const arrow::LargeBinaryArray&>(array).GetView(in_batch_);
        break;
      default:
        broken("text: expected a string, given {}", array.type()->ToString());
    }
    if (!simdjson::validate_utf8(view.data(), view.size())) broken("text: expected UTF-8");
    text = view;
  }

  void read_integers(const arrow::Array& array, const char* name, std::vector<int32_t>& target) const {
    if (array.IsNull(in_batch_)) broken("{}: expected a list of whole numbers, given null", name);
    switch (array.type_id()) {
      case arrow::Type::LIST:
        return read_list(static_cast<const arrow::ListArray&>(array), name, target);
      case arrow::Type::LARGE_LIST:
        return read_list(static_cast<const arrow::LargeListArray&>(array), name, target);
      case arrow::Type::FIXED_SIZE_LIST:
        return read_list(static_cast<const arrow::FixedSizeListArray&>(array), name, target);
      default:
        broken("{}: expected a list of whole numbers, given {}", name, array.type()->ToString());
    }
  }

  template <typename List>
  void read_list(const List& list, const char* name, std::vector<int32_t>& target) const {
    const arrow::Array& values = *list.values();
    const int64_t begin = list.value_offset(in_batch_), end = begin + list.value_length(in_batch_);
    switch (values.type_id()) {
      case arrow::Type::INT32:
        return append(static_cast<const arrow::Int32Array&>(values), begin, end, name, target);
      case arrow::Type::INT64:
        return append(static_cast<const arrow::Int64Array&>(values), begin, end, name, target);
      case arrow::Type::INT16:
        return append(static_cast<const arrow::Int16Array&>(values), begin, end, name, target);
      case arrow::Type::UINT16:
        return append(static_cast<const arrow::UInt16Array&>(values), begin, end, name, target);
      case arrow::Type::UINT32:
        return append(static_cast<const arrow::UInt32Array&>(values), begin, end, name, target);
      default:
        broken("{}: expected whole numbers of 16, 32 or 64 bits, given {}", name, values.type()->ToString());
    }
  }

  template <typename Values>
  void append(const Values& values, int64_t begin, int64_t end, const char* name,
              std::vector<int32_t>& target) const {
    for (int64_t i = begin; i < end; ++i) {
      if (values.IsNull(i) || !std::in_range<int32_t>(values.Value(i)))
        broken("{}: expected whole numbers of 32 bits", name);
      target.push_back(static_cast<int32_t>(values.Value(i)));
    }
  }

  template <typename... Args>
  [[noreturn]] void broken(fmt::format_string<Args...> format, Args&&... args) const {
    fail(fmt::format("{}:{}", path_.string(), row_), format, std::forward<Args>(args)...);
  }

  Path path_;
  bool skips_, has_ids_ = false, has_labels_ = false;
  std::vector<int> leaves_;  // columns of the file that are read
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::RecordBatchReader> batches_;  // reads row group group_ - 1
  std::shared_ptr<arrow::RecordBatch> batch_;
  int group_ = 0;
  int64_t in_batch_ = -1, row_ = 0, num_rows_ = 0;
};

}  // namespace

std::unique_ptr<DocumentReader> open_parquet(const Path& path, BrokenRows broken, const TextPlace& begin) {
  return std::make_unique<ParquetReader>(path, broken, begin);
}

}  // namespace galore
