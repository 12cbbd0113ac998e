// Replaces parquet.cpp in a build without Arrow.
#include "core/errors.h"
#include "data/parquet.h"

namespace galore {

std::unique_ptr<DocumentReader> open_parquet(const Path& path, BrokenRows, const TextPlace&) {
  fail(path.string(),
       "expected a .txt, .jsonl or .bin file, given a .parquet, which this build cannot read: run "
       "'scripts/setup --parquet' and build with 'cmake --preset release -DGALORE_PARQUET=ON', or convert "
       "the file "
       "to .jsonl");
}

}  // namespace galore
