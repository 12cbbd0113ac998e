#include "adapters/adapter.h"

#include "core/errors.h"

namespace galore {

std::unique_ptr<AdaptedTable> Adapter::embedding(const Place& place, const TableSize&, const LayerBuilder&,
                                                 Ledger&) const {
  fail("adapter", "{}: the adapter has no form for embeddings", place.name);
}

std::string Adapter::peft_name(const Parameter& parameter, const std::vector<std::string>& /*places*/) const {
  return "base_model.model." + parameter.name;
}

}  // namespace galore
