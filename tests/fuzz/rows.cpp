// Reads any bytes as a .jsonl file, and as text. The first broken row is an Error; a reader that skips broken
// rows counts them. Reading may begin between any two documents.
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
  const auto whole = open_documents(path, kind, BrokenRows::skip);
  Document expected, found;
  for (int i = 0; i < 2; ++i) {
    const auto rest = open_documents(path, kind, BrokenRows::skip, whole->place());
    const bool more = whole->next(expected);
    if (rest->next(found) != more) std::abort();
    if (!more) return;
    if (expected.text != found.text || expected.ids != found.ids || expected.line != found.line) std::abort();
    if (whole->place() != rest->place()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const NamedMemoryFile file("rows.jsonl", data, size);
  check_places(file.path(), TextDocuments::line);
  const NamedMemoryFile text("text.txt", data, size);
  check_places(text.path(), TextDocuments::paragraph);
  const auto skipping = open_documents(file.path(), TextDocuments::paragraph, BrokenRows::skip);
  const Rows rows = read_rows(*skipping);
  try {
    const auto strict = open_documents(file.path(), TextDocuments::paragraph, BrokenRows::stop);
    // Without an Error no row can have been left out.
    if (read_rows(*strict).good != rows.good || rows.broken != 0) std::abort();
  } catch (const Error&) {
    if (rows.broken == 0) std::abort();
  }
  return 0;
}
