// Reads the rows of .jsonl and .json files.
#pragma once

#include <memory>

#include "data/documents.h"

namespace galore {

// A .json file that begins with '[' is one list of rows, in which the offset of a place counts rows. Every
// other file has a row per line.
std::unique_ptr<DocumentReader> open_json_rows(const Path& path, const DocumentFormat& format,
                                               const TextPlace& begin);

}  // namespace galore
