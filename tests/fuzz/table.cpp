// Reads any bytes as a table of a task: .tsv, .csv and .jsonl. The file is refused with an Error, or every
// row is an object with a place.
#include "core/errors.h"
#include "fuzz/memory_file.h"
#include "tasks/task_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galore;
  const TableLayout glue{{{"sentence", "sentence", -1}, {"label", "label", 1}}};
  for (const char* name : {"rows.tsv", "rows.csv", "rows.jsonl"}) {
    const NamedMemoryFile file(name, data, size);
    for (const TableLayout& layout : {TableLayout{}, glue}) {
      try {
        for (const TaskRow& row : read_task_rows({file.path().string()}, layout))
          if (!row.values.is_object() || row.where.empty()) std::abort();
      } catch (const Error&) {
      }
    }
  }
  return 0;
}
