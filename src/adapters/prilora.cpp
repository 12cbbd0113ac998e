// PRILoRA (Benedek and Wolf, "PRILoRA: pruned and rank-increasing low-rank adaptation", arXiv 2401.11316):
// LoRA with a rank that rises linearly with the layer, and with pruning of A by the statistics of the layer's
// input.
//
//   symbol  name in code  default   where the default comes from
//   r_s     r_start       4         the paper, as far as it is known to us
//   r_f     r_end         12        the paper, as far as it is known to us
//   rho     ema           0.9       the paper, as far as it is known to us
//   K       prune_steps   40        the paper, as far as it is known to us
//   q       prune_ratio   0.5       the paper, as far as it is known to us
//           prune_group   0         elements of a row that are pruned together, as the m of n:m; 0: whole
//           rows
//
//   rank of layer l = 0..L-1:  round(r_s + (r_f - r_s) l / (L - 1))
//   every update:              x_j <- rho x_j + (1 - rho) |column j of the layer's inputs| / sqrt(tokens)
//   every K updates:           in each row of A, the share q of elements with the smallest |A_ij| x_j becomes
//   0
//
// Zeroed elements are trained on and may grow again, and their moments stay. lora_alpha is the alpha of a
// layer of rank r (8); every layer has the scale lora_alpha / r. Tokens that have no gradient, such as
// padding, do not count. The norms x are kept with the optimizer's state.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "adapters/adapter_kind.h"
#include "adapters/layer_parts.h"
#include "adapters/lora_adapter.h"
#include "adapters/lora_linear.h"
#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

struct PriLoraOptions {
  int64_t first_rank = 4, last_rank = 12, steps = 40, group = 0;
  double ema = 0.9, ratio = 0.5;
};

class PriLoraLinear : public LoraLinear {
 public:
  PriLoraLinear(const Place& place, const LinearSize& size, const LoraSettings& settings,
                const PriLoraOptions& options, const LayerBuilder& inner, Ledger& ledger)
      : LoraLinear(place, size, settings, inner, ledger), options_(options), inputs_(size.inputs) {
    if (options.group > 0 && size.inputs % options.group != 0)
      fail_usage("adapter_args", "prune_group: expected a divisor of {}, the inputs of {}, given {}",
                 size.inputs, place.name, options.group);
    ParameterList parameters;
    LoraLinear::list(parameters);
    a_ = parameters[parameters.size() - 2];
    define_state(statistics_, place, kStatistics, {2, size.inputs + 1}, ledger);
    statistics_.listener = this;
  }

  static constexpr const char* kStatistics = "lora_input_norms";

  void initialize(uint64_t seed) override {
    LoraLinear::initialize(seed);
    if (!statistics_.value.is_meta()) statistics_.value.zero_();
  }
  void list(ParameterList& parameters) override {
    LoraLinear::list(parameters);
    parameters.push_back(&statistics_);
  }

  void report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) override {
    collect(pass, gradient, x);
    LoraLinear::report_gradient(pass, gradient, x);
  }

  void after_update(int64_t update, StateEditor& state) override {
    if (!statistics_.value.is_meta()) take_norms();
    if (statistics_.value.is_meta() || update % options_.steps == 0) prune(state);
  }

 private:
  // The second row of the statistics sums squares and tokens over the micro-batches of an update.
  void collect(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) {
    const Scratch squares = pass.workspace.lease(Owner::workspace, "prilora.squares", x.sizes(), at::kFloat);
    if (x.is_meta()) return;
    const at::Tensor counted = gradient.norm(INFINITY, {1}).ne(0).to(at::kFloat);
    squares->copy_(x).square_();
    const at::Tensor sums = statistics_.value[1];
    sums.narrow(0, 0, inputs_).add_(at::mv(squares->t(), counted));
    sums[inputs_] += counted.sum();
  }

  void take_norms() {
    const at::Tensor norms = statistics_.value[0], sums = statistics_.value[1];
    const double tokens = sums[inputs_].item<double>();
    if (tokens > 0) {
      const at::Tensor now = sums.narrow(0, 0, inputs_).div(tokens).sqrt_();
      norms.narrow(0, 0, inputs_).mul_(options_.ema).add_(now, 1 - options_.ema);
    }
    sums.zero_();
  }

  void prune(StateEditor& state) {
    const at::Tensor a = state.value(*a_);
    const int64_t group = options_.group > 0 ? options_.group : inputs_;
    if (!a.is_meta()) {
      const at::Tensor groups = a.view({-1, group});
      const at::Tensor scores = a.abs().mul_(statistics_.value[0].narrow(0, 0, inputs_)).view({-1, group});
      const auto pruned = static_cast<int64_t>(std::floor(options_.ratio * static_cast<double>(group)));
      const at::Tensor order = at::argsort(scores, /*stable=*/true, /*dim=*/1, /*descending=*/false);
      groups.scatter_(1, order.narrow(1, 0, pruned), 0);
    }
    state.replace(*a_, a);
  }

  PriLoraOptions options_;
  int64_t inputs_;
  Parameter* a_ = nullptr;
  Parameter
      statistics_;  // x and, in the second row, sums of this update with the number of tokens at its end
};

class PriLora : public LoraAdapter {
 public:
  PriLora(LoraConfig config, const PriLoraOptions& options, bool is_new)
      : LoraAdapter(std::move(config), std::nullopt, is_new), o_(options) {}

  std::unique_ptr<AdaptedLayer> linear(const Place& place, const LinearSize& size, const LayerBuilder& inner,
                                       Ledger& ledger) const override {
    const int64_t rank = is_new() ? rank_of(place) : config().rank_of(place.name);
    const double scale = is_new() ? new_scale() : config().scale_of(place.name);
    ranks_[place.name] = rank;
    return std::make_unique<PriLoraLinear>(place, size, LoraSettings{rank, scale, config().lora_dropout}, o_,
                                           inner, ledger);
  }

  void choose_trainable(const ParameterList& parameters,
                        const std::vector<std::string>& places) const override {
    LoraAdapter::choose_trainable(parameters, places);
    for (Parameter* parameter : parameters)
      if (parameter->name.ends_with(PriLoraLinear::kStatistics)) parameter->trainable = false;
  }

  // PEFT knows the adapter as LoRA with a rank and an alpha for each module.
  Json peft_config(const std::vector<std::string>& places, bool inputs_first) const override {
    Json config = LoraAdapter::peft_config(places, inputs_first);
    if (!is_new()) return config;
    for (const auto& [place, rank] : ranks_) {
      config["rank_pattern"][place] = rank;
      config["alpha_pattern"][place] = new_scale() * static_cast<double>(rank);
    }
    return config;
  }

 private:
  int64_t rank_of(const Place& place) const {
    const auto layers = static_cast<double>(std::max<int64_t>(1, place.num_layers - 1));
    const auto change = static_cast<double>(o_.last_rank - o_.first_rank);
    return o_.first_rank + std::llround(change * static_cast<double>(place.layer) / layers);
  }
  double new_scale() const { return config().lora_alpha / static_cast<double>(config().r); }

  PriLoraOptions o_;
  mutable std::map<std::string, int64_t> ranks_;  // of the layers that were made
};

// Takes the options of PRILoRA out of the arguments; all others are LoRA's.
PriLoraOptions take_options(Adapter::Json& arguments) {
  PriLoraOptions o;
  OptionTable table;
  table.add("r_start", &o.first_rank, "rank of the first layer").range(1, 1e9);
  table.add("r_end", &o.last_rank, "rank of the last layer").range(1, 1e9);
  table.add("ema", &o.ema, "share of the old norms in the running norms of inputs").range(0, 1);
  table.add("prune_steps", &o.steps, "updates between prunings of A").range(1, 1e15);
  table.add("prune_ratio", &o.ratio, "share of A's elements that a pruning sets to zero").range(0, 1);
  table.add("prune_group", &o.group, "elements of a row that are pruned together; 0: a row").range(0, 1e9);
  take_own_options(table, arguments);
  return o;
}

}  // namespace

AdapterKind prilora_adapter() {
  return {"prilora", "LoRA whose rank rises with the layer, and which prunes A by the norms of its inputs",
          [](const Adapter::Json& given) -> std::shared_ptr<const Adapter> {
            Adapter::Json arguments = given;
            const PriLoraOptions options = take_options(arguments);
            for (const char* unused : {"rank_pattern", "alpha_pattern", "use_dora", "use_rslora"})
              if (arguments.contains(unused))
                fail_usage("adapter_args", "prilora: expected no {}: r_start and r_end choose the ranks",
                           unused);
            return std::make_shared<PriLora>(read_lora_config(arguments, "adapter_args", false), options,
                                             /*is_new=*/true);
          },
          [](const Adapter::Json& config, const std::string& where,
             const Adapter::Json& given) -> std::shared_ptr<const Adapter> {
            Adapter::Json arguments = given;
            const PriLoraOptions options = take_options(arguments);
            return std::make_shared<PriLora>(read_lora_config(config, where, true), options, false);
          }};
}

}  // namespace galore
