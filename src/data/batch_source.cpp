#include "data/batch_source.h"

namespace galore {

std::optional<Batch> BatchSource::next() {
  const DataPosition before = position();
  try {
    const MakeBatch make = plan();
    return make ? std::optional<Batch>(make()) : std::nullopt;
  } catch (...) {
    seek(before);
    throw;
  }
}

}  // namespace galore
