// Documents of a Parquet file, row after row: as a .jsonl with the same columns has them.
//
// `text` is a column of strings (or bytes that are UTF-8), `input_ids` and `labels` are ones of lists of
// whole numbers. Only these are read, a row group after the other, a page at a time. Arrow reads them, in a
// build with GALORE_PARQUET; in others opening one is an Error.
#pragma once

#include <memory>

#include "data/documents.h"

namespace galore {

// `begin.offset` counts rows. A file without a column 'text' or 'input_ids', or a damaged one, is an Error;
// broken rows (null, of another type) are as `broken` says.
std::unique_ptr<DocumentReader> open_parquet(const Path& path, BrokenRows broken, const TextPlace& begin);

}  // namespace galore
