// Reads any bytes as a .jsonl file, and as text. The first broken row is an Error; a reader that skips broken
// rows counts them. Reading may begin between any two documents.
#include <optional>

#include "core/errors.h"
#include "data/documents.h"
#include "fuzz/memory_file.h"

namespace {

using namespace galore;

struct Rows {
  int64_t good = 0, broken = 0;
};

Rows read_rows(DocumentReader& reader) {
  Rows rows;
  int64_t line = 0;
  Document document;
  while (reader.next(document)) {
    if (document.line <= line) std::abort();
    line = document.line;
    if (!document.fault.empty()) {
      ++rows.broken;
      continue;
    }
    if (document.tokenized == document.ids.empty() || document.tokenized != document.text.empty())
      std::abort();
    if (document.has_labels && document.labels.size() != document.ids.size()) std::abort();
    ++rows.good;
  }
  return rows;
}

// A reader that begins at another reader's place finds the same documents.
void check_places(const Path& path, TextDocuments kind) {
  const DocumentFormat format{kind, BrokenRows::skip};
  const auto whole = open_documents(path, format);
  Document expected, found;
  for (int i = 0; i < 2; ++i) {
    const auto rest = open_documents(path, format, whole->place());
    const bool more = whole->next(expected);
    if (rest->next(found) != more) std::abort();
    if (!more) return;
    if (expected.text != found.text || expected.ids != found.ids || expected.line != found.line) std::abort();
    if (whole->place() != rest->place()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const NamedMemoryFile file("rows.jsonl", data, size), list("rows.json", data, size),
      text("text.txt", data, size);
  for (const Path& path : {file.path(), list.path(), text.path()}) {
    try {
      check_places(path, path == text.path() ? TextDocuments::paragraph : TextDocuments::line);
    } catch (const Error&) {  // UTF-16, or a damaged list
    }
  }
  const auto rows = [&](BrokenRows broken) -> std::optional<Rows> {
    try {
      return read_rows(*open_documents(file.path(), {.broken_rows = broken}));
    } catch (const Error&) {
      return std::nullopt;
    }
  };
  const auto skipping = rows(BrokenRows::skip), strict = rows(BrokenRows::stop);
  if (!skipping && strict) std::abort();
  // A strict reader fails exactly if there are broken rows.
  if (skipping && strict.has_value() != (skipping->broken == 0)) std::abort();
  if (strict && strict->good != skipping->good) std::abort();
  return 0;
}
