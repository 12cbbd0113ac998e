// WeLore (Jaiswal et al., "From GaLore to WeLore: how low-rank weights non-uniformly emerge from low-rank
// gradients", arXiv 2407.11239): matrices with a low rank of their own are products of two factors, and only
// the factors are trained. `galore compress` makes such a model (train/compress.h) and states the ranks.
//
//   name in code  default  meaning
//   ranks         -        the rank of each factored matrix by its name
//   train_norms   true     the authors' code trains the norms with the factors
#include <algorithm>
#include <map>

#include "adapters/adapter_kind.h"
#include "adapters/factor_places.h"
#include "adapters/factored_linear.h"
#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

class WeLore : public FactorPlaces {
 public:
  explicit WeLore(const Json& arguments) : FactorPlaces("welore", arguments) {
    OptionTable table;
    table.add("train_norms", &train_norms_, "train the norms with the factors");
    Json others = arguments;
    const auto ranks = others.find("ranks");
    if (ranks == others.end() || !ranks->is_object() || ranks->empty())
      fail_usage("adapter_args",
                 "welore: expected ranks, a map from matrix to rank: galore compress writes such a model");
    for (const auto& [place, rank] : ranks->items())
      ranks_[place] = parse_count("adapter_args", "ranks." + place,
                                  rank.is_string() ? rank.get<std::string>() : rank.dump());
    others.erase("ranks");
    set_options(table, others);
  }

  bool takes(const Place& place) const override { return ranks_.contains(place.name); }

  std::unique_ptr<AdaptedLayer> linear(const Place& place, const LinearSize& size, const LayerBuilder& inner,
                                       Ledger&) const override {
    const int64_t rank = rank_at(place, size, ranks_.at(place.name));
    return std::make_unique<FactoredLinear>(place, size, rank, Middle::linear, inner);
  }

  void choose_trainable(const ParameterList& parameters,
                        const std::vector<std::string>& places) const override {
    for (const auto& [place, rank] : ranks_)
      if (std::find(places.begin(), places.end(), place) == places.end())
        fail_usage("adapter_args", "ranks: expected matrices of the model's layers, and '{}' is none", place);
    for (Parameter* parameter : parameters)
      parameter->trainable =
          parameter->role == Role::adapter || (train_norms_ && parameter->role == Role::norm);
  }

 private:
  std::map<std::string, int64_t> ranks_;
  bool train_norms_ = true;
};

}  // namespace

AdapterKind welore_adapter() {
  return {"welore", "products B A in place of the matrices of low rank, which alone are trained",
          [](const Adapter::Json& arguments) -> std::shared_ptr<const Adapter> {
            return std::make_shared<WeLore>(arguments);
          }};
}

}  // namespace galore
