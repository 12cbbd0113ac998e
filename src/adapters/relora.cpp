// ReLoRA (Lialin et al., "ReLoRA: high-rank training through low-rank updates", arXiv 2307.05695): LoRA's
// factors are merged into the weight and drawn again every R updates, so that a sum of updates of rank r
// exceeds this rank.
//
//   symbol   name in code    default   where the default comes from
//   r        r               128       the authors' example
//   s        lora_alpha / r  32 / 128  the authors' example
//            lora_dropout    0.1       the authors' example
//   R        relora_steps    1000      the authors' configuration for 1B
//            moments         reset     the authors' code; magnitude and random take prune_ratio
//            prune_ratio     0.9       the authors' README
//
//   after updates R, 2 R, ...:  W += s B A;  A ~ U(-1/sqrt(n), 1/sqrt(n));  B = 0;  the moments of A and B
//   are reset, or pruned to the share 1 - prune_ratio of their elements
//
// W is frozen; all parameters that are not wrapped are trained. A full-rank warm start is a run without the
// adapter, from which this one starts by model_name_or_path. The schedule jagged_cosine drops the learning
// rate at each merge and warms up again (train/schedule.h); use it with the same R.
//
// Departures: A is drawn when the layer is made. In the released code A and B are both zero until the first
// merge, so that the first cycle trains neither. The released reset keeps 0.1 % of the moments; ours none. We
// merge after update k R, the released code after k R + 1, whose learning rate is 0.
#include <ATen/ATen.h>

#include <cmath>

#include "adapters/adapter_kind.h"
#include "adapters/factor_places.h"
#include "adapters/layer_parts.h"
#include "adapters/lora_linear.h"
#include "core/options.h"

namespace galore {
namespace {

struct ReLoraOptions {
  int64_t rank = 128, steps = 1000;
  double alpha = 32, dropout = 0.1, prune_ratio = 0.9;
  std::string moments = "reset";
};

class ReLoraLinear : public LoraLinear {
 public:
  ReLoraLinear(const Place& place, const LinearSize& size, const ReLoraOptions& options,
               const LayerBuilder& inner, Ledger& ledger)
      : LoraLinear(place, size,
                   {options.rank, options.alpha / static_cast<double>(options.rank), options.dropout}, inner,
                   ledger),
        options_(options),
        inputs_first_(size.inputs_first),
        ledger_(ledger) {
    ParameterList parameters;
    list(parameters);
    weight_ = &weight_of(*this);
    a_ = parameters[parameters.size() - 2];
    b_ = parameters.back();
    weight_->trainable = false;
    a_->listener = this;
  }

  void after_update(int64_t update, StateEditor& state) override {
    if (!ledger_.counting() && update % options_.steps != 0) return;
    ledger_.note_transient(3 * 4 * weight_->numel());
    const at::Tensor a = state.value(*a_), b = state.value(*b_), weight = state.value(*weight_);
    const at::Tensor product = b.mm(a).mul_(options_.alpha / static_cast<double>(options_.rank));
    state.replace(*weight_, weight.add(inputs_first_ ? product.t() : product));
    draw_uniform(a, 1 / std::sqrt(static_cast<double>(a.size(1))), state.stream(*a_, "relora"));
    state.replace(*a_, a);
    state.replace(*b_, b.zero_());
    for (Parameter* factor : {a_, b_}) forget(*factor, state);
  }

 private:
  void forget(Parameter& factor, StateEditor& state) const {
    if (options_.moments == "reset") return state.reset(factor);
    if (options_.moments == "random") return state.prune_at_random(factor, options_.prune_ratio);
    state.prune_smallest(factor, options_.prune_ratio);
  }

  ReLoraOptions options_;
  bool inputs_first_;
  Ledger& ledger_;
  Parameter *weight_ = nullptr, *a_ = nullptr, *b_ = nullptr;
};

class ReLora : public FactorPlaces {
 public:
  explicit ReLora(const Json& arguments) : FactorPlaces("relora", arguments) {
    OptionTable table;
    table.add("r", &o_.rank, "rank of the factors").range(1, 1e9);
    table.add("lora_alpha", &o_.alpha, "the product is multiplied by lora_alpha / r").range(0, 1e9);
    table.add("lora_dropout", &o_.dropout, "dropout of the factors' input").range(0, 1 - 1e-9);
    table.add("relora_steps", &o_.steps, "updates between merges").range(1, 1e15);
    table.add("moments", &o_.moments, "the factors' moments at a merge: reset, or pruned by prune_ratio")
        .choices({"reset", "random", "magnitude"});
    table.add("prune_ratio", &o_.prune_ratio, "share of the moments that pruning sets to zero").range(0, 1);
    declare_places(table);
    set_options(table, arguments);
  }
  std::unique_ptr<AdaptedLayer> linear(const Place& place, const LinearSize& size, const LayerBuilder& inner,
                                       Ledger& ledger) const override {
    rank_at(place, size, o_.rank);
    return std::make_unique<ReLoraLinear>(place, size, o_, inner, ledger);
  }

 private:
  ReLoraOptions o_;
};

}  // namespace

AdapterKind relora_adapter() {
  return {"relora", "factors B A that are merged into frozen weights and drawn again",
          [](const Adapter::Json& arguments) -> std::shared_ptr<const Adapter> {
            return std::make_shared<ReLora>(arguments);
          }};
}

}  // namespace galore
