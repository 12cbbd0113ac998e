// Reads the documents of a Parquet file row by row, like a .jsonl file with the same columns.
//
// `text` is a column of strings (or bytes that are UTF-8); `input_ids` and `labels` are columns of lists of
// whole numbers. Only these are read, one row group after the other, page by page. Arrow reads them in a
// build with GALORE_PARQUET; in other builds opening a file is an Error.
#pragma once

#include <memory>

#include "data/documents.h"

namespace galore {

// `begin.offset` counts rows. A damaged file, or a file without a column 'text' or 'input_ids', is an Error.
// Broken rows (null, or of another type) are treated as `broken` says.
std::unique_ptr<DocumentReader> open_parquet(const Path& path, BrokenRows broken, const TextPlace& begin);

}  // namespace galore
