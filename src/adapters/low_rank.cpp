// Low rank: every matrix inside the layers is a product B A of two trained factors, the baseline of the
// GaLore paper (arXiv 2403.03507, table 2).
#include "adapters/adapter_kind.h"
#include "adapters/factor_places.h"
#include "adapters/factored_linear.h"
#include "core/options.h"

namespace galore {
namespace {

class LowRank : public FactorPlaces {
 public:
  LowRank(const char* name, Middle middle, const Json& arguments)
      : FactorPlaces(name, arguments), middle_(middle) {
    OptionTable table;
    table.add("r", &rank_, "rank of the factors").range(1, 1e9);
    declare_places(table);
    set_options(table, arguments);
  }

  std::unique_ptr<AdaptedLayer> linear(const Place& place, const LinearSize& size, const LayerBuilder& inner,
                                       Ledger&) const override {
    return std::make_unique<FactoredLinear>(place, size, rank_at(place, size, rank_), middle_, inner);
  }

 private:
  Middle middle_;
  int64_t rank_ = 128;
};

std::shared_ptr<const Adapter> make_low_rank(const Adapter::Json& arguments) {
  return std::make_shared<LowRank>("low_rank", Middle::linear, arguments);
}
std::shared_ptr<const Adapter> make_cola(const Adapter::Json& arguments) {
  return std::make_shared<LowRank>("cola", Middle::silu, arguments);
}

}  // namespace

AdapterKind low_rank_adapter() {
  return {"low_rank", "from scratch: products B A of rank r in place of matrices", make_low_rank};
}

AdapterKind cola_adapter() {
  return {"cola", "from scratch: B silu(A x) of rank r in place of matrices", make_cola};
}

}  // namespace galore
