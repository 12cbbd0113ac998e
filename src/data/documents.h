// Documents of a data file, streamed in order.
//
// .txt: paragraphs separated by blank lines (default), one document per line, or the whole file. Text that is
//         not UTF-8 is an Error with file, line and byte, or a document with a fault.
// .jsonl: one row per line, {"text": "..."} or {"input_ids": [...]} with optional "labels" of the same length
//         (-100: not counted). Other keys are ignored. A broken row is an Error with file and line, or a
//         document with a fault.
// .json: the same rows, a row per line or one JSON list of rows.
// These kinds may be compressed: .txt.gz, .jsonl.zst.
// .parquet: rows with the same columns (parquet.h), in a build with GALORE_PARQUET.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/files.h"
#include "tokenizer/text_lines.h"

namespace galore {

enum class TextDocuments { paragraph, line, file };
// Accepts "paragraph", "line" or "file"; any other name is a UsageError.
TextDocuments text_documents_from_name(const std::string& name);
const char* text_documents_name(TextDocuments kind);

// The place at which a document was looked for. Files are read one after the other, epoch after epoch.
struct DocumentPlace {
  int64_t epoch = 0;
  int64_t file = 0;      // number of the file
  int64_t document = 0;  // number of documents of the epoch before it
  TextPlace text;        // its offset counts tokens in a token file and rows in a .parquet or a list

  bool operator==(const DocumentPlace&) const = default;
};

// Text documents longer than this are cut at a nearby line end, so that memory stays bounded.
inline constexpr size_t kLargestDocument = 16u << 20;

struct Document {
  bool tokenized = false;  // false: `text` is valid
  bool has_labels = false;
  bool is_part = false;  // part of a longer sequence of tokens, so it gets no separator
  bool is_chat = false;  // `text` is a JSON row of instruction data (chat/chat_rows.h)
  std::string text;
  std::vector<int32_t> ids, labels;
  int64_t line = 0;   // the line where it starts, from 1; in a .parquet file the number of its row
  std::string fault;  // the error message of a broken row, or ""
  // Set by a corpus: the place at which the document was looked for, and the share of the epoch before it.
  DocumentPlace place;
  double share = 0;

  void clear() {
    tokenized = has_labels = is_part = is_chat = false;
    text.clear(), ids.clear(), labels.clear(), fault.clear();
  }
};

// Throws an Error unless this document has labels exactly if the first document of its file has them.
void require_labels_as_before(bool first_has_labels, const Document& document, const Path& path);

// The broken rows that were left out.
struct SkippedRows {
  int64_t count = 0;
  std::string first;  // the error message of the first broken row, with its file and line

  void add(const std::string& fault) {
    if (count++ == 0) first = fault;
  }
};

class DocumentReader {
 public:
  virtual ~DocumentReader() = default;
  // Returns false at the end. Documents without content are left out, unless keep_empty_rows() was called.
  virtual bool next(Document& document) = 0;
  // Makes each row of a .jsonl or .parquet file, and each line of a text file read by lines, one document.
  void keep_empty_rows() { keeps_empty_rows_ = true; }
  // Returns the place after the last document. A reader that starts there finds the documents that follow.
  virtual TextPlace place() const = 0;
  // Returns the share of the file that was read, from 0 to 1.
  virtual double share() const = 0;

 protected:
  bool keeps_empty_rows() const { return keeps_empty_rows_; }
  // Returns true for a row that next() passes over.
  bool leaves_out(const Document& row) const {
    return !keeps_empty_rows_ && row.text.empty() && row.ids.empty() && row.fault.empty();
  }

 private:
  bool keeps_empty_rows_ = false;
};

enum class BrokenRows { stop, skip };

// The settings that decide which documents a file holds.
struct DocumentFormat {
  TextDocuments text_documents = TextDocuments::paragraph;
  BrokenRows broken_rows = BrokenRows::stop;
  TextEncoding encoding = TextEncoding::utf8;  // of .txt and .jsonl files
  bool chat_rows = false;  // JSON rows with neither input_ids nor text alone are instruction data
};

// Opens a file by its extension: .txt (and .md, .text), .jsonl (and .json) or .parquet.
std::unique_ptr<DocumentReader> open_documents(const Path& path, const DocumentFormat& format = {},
                                               const TextPlace& begin = {});
// Returns true for .jsonl, .ndjson and .json files, compressed ones included.
bool is_json_rows(const Path& path);
bool is_parquet(const Path& path);

}  // namespace galore
