// SLTrain (arXiv 2406.02214): every matrix inside the layers is a product of rank r plus values on a fixed
// sparse support (sltrain_linear.h).
#include "adapters/adapter_kind.h"
#include "adapters/factor_places.h"
#include "adapters/sltrain_linear.h"
#include "core/options.h"

namespace galore {
namespace {

class SlTrain : public FactorPlaces {
 public:
  explicit SlTrain(const Json& arguments) : FactorPlaces("sltrain", arguments) {
    OptionTable table;
    table.add("r", &rank_, "rank of the product").range(1, 1e9);
    table.add("alpha", &alpha_, "the product is multiplied by alpha / r").range(0, 1e9);
    table.add("density", &density_, "share of a matrix's elements that have a sparse value").range(0, 1);
    table.add("support_seed", &seed_, "seed of the supports").range(0, 1e18);
    table.add("support", &support_, "stored as int32 (4 bytes a value), or regenerated (0 bytes)")
        .choices({"stored", "regenerated"});
    declare_places(table);
    set_options(table, arguments);
  }

  std::unique_ptr<AdaptedLayer> linear(const Place& place, const LinearSize& size, const LayerBuilder& inner,
                                       Ledger& ledger) const override {
    const SlTrainSettings settings{rank_at(place, size, rank_), alpha_ / static_cast<double>(rank_), density_,
                                   static_cast<uint64_t>(seed_), support_ == "stored"};
    return std::make_unique<SlTrainLinear>(place, size, settings, inner, ledger);
  }

 private:
  int64_t rank_ = 128, seed_ = 0;
  double alpha_ = 32, density_ = 0.03;
  std::string support_ = "stored";
};

}  // namespace

AdapterKind sltrain_adapter() {
  return {"sltrain", "from scratch: products B A plus sparse values in place of matrices",
          [](const Adapter::Json& arguments) -> std::shared_ptr<const Adapter> {
            return std::make_shared<SlTrain>(arguments);
          }};
}

}  // namespace galore
