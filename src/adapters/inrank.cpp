// InRank (Zhao et al., "InRank: incremental low-rank learning", arXiv 2306.11250) in the form of the authors'
// code, InRank-Efficient: every matrix is a product B A of a rank that grows with the rank that explains it.
//
//   symbol  name in code   default   where the default comes from
//   r       r              2         the authors' code, the first number of modes
//   b       buffer         100       the authors' code
//   R       max_rank       min(m, n) / 2, the authors' code
//   xi      threshold      0.9       the authors' code
//           rule           variance  the authors' code; energy sums squares
//           start_steps    25        200 forward passes in their code, 8 of them an update
//           check_steps    3         25 forward passes
//           growth_steps   130       the authors' configuration of the small model
//
//   the factors have rank r + b;  after updates c > start_steps that are multiples of check_steps:
//     r becomes the first k = r, r + 1, ..., min(r + b, R - b) - 1 whose share of B A is above xi
//     new rows of A are uniform on +-1/sqrt(n), new columns of B on +-1/sqrt(R)
//   after growth_steps updates: B A is cut to rank r by its singular values, and trained as it is
//
// A layer's memory follows its rank; a plan counts the largest rank, R - 1.
//
// Departures: the authors' code has all R rows from the start and uses some of them, and it counts forward
// passes, evaluations included; we draw new rows when they are needed, and count updates. Averages of the
// factors' gradients go on when the rank grows, and begin anew with the cut factors.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "adapters/adapter_kind.h"
#include "adapters/explained_rank.h"
#include "adapters/factor_places.h"
#include "adapters/factored_linear.h"
#include "adapters/layer_parts.h"
#include "adapters/lora_factors.h"
#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

struct InRankOptions {
  int64_t rank = 2, buffer = 100, max_rank = 0, start = 25, check = 3, growth = 130;
  double threshold = 0.9;
  std::string rule = "variance";
};

// Returns R of a layer.
int64_t largest_rank(const Place& place, const LinearSize& size, const InRankOptions& o) {
  const int64_t most = std::min(size.inputs, size.outputs);
  const int64_t largest = o.max_rank > 0 ? o.max_rank : most / 2;
  if (largest > most || o.rank + o.buffer > largest)
    fail_usage("adapter_args", "r + buffer: expected at most {} for {} ({} x {}), given {} + {}",
               std::min(largest, most), place.name, size.outputs, size.inputs, o.rank, o.buffer);
  return largest;
}

class InRankLinear : public FactoredLinear {
 public:
  InRankLinear(const Place& place, const LinearSize& size, const InRankOptions& options, int64_t largest,
               const LayerBuilder& builder, Ledger& ledger)
      : FactoredLinear(place, size, options.rank + options.buffer, Middle::linear, builder),
        options_(options),
        largest_(largest),
        ledger_(ledger) {
    define_state(state_, place, "rank_state", {2}, ledger);
    state_.listener = this;
  }

  void list(ParameterList& parameters) override {
    parameters.push_back(&state_);
    FactoredLinear::list(parameters);
  }

  void initialize(uint64_t seed) override {
    if (state_.value.is_meta()) return;
    const at::Tensor first_a = at::empty(a().sizes(), at::kFloat),
                     first_b = at::empty(b().sizes(), at::kFloat);
    draw_uniform(first_a, bound_of_a(), {seed, "init", a().name});
    draw_uniform(first_b, bound_of_b(), {seed, "init", b().name});
    a().value.copy_(first_a);
    b().value.copy_(first_b);
    keep(options_.rank, options_.buffer);
  }

  void fit(const Stored& stored) override {
    const auto sizes = stored(a().name);
    if (!sizes || sizes->size() != 2 || a().value.is_meta()) return;
    for (Parameter* factor : {&a(), &b()}) {
      std::vector<int64_t> wanted = factor->value.sizes().vec();
      wanted[factor == &a() ? 0 : 1] = sizes->front();
      ledger_.add(Owner::weights, -static_cast<int64_t>(factor->value.nbytes()));
      factor->value = ledger_.empty(Owner::weights, wanted, factor->value.scalar_type());
    }
  }

  void after_update(int64_t update, StateEditor& state) override {
    if (ledger_.counting()) return count_growth(state);
    const int64_t before = rank();
    if (buffer() > 0 && options_.growth > 0 && update >= options_.growth) {
      settle(state);
    } else if (buffer() > 0 && update > options_.start && update % options_.check == 0) {
      grow(state);
    }
    state.report_rank(name(), rank(), rank() != before || update == 1);
  }

 private:
  // Return r and b. b is 0 once the rank is settled.
  int64_t rank() const { return state_.value[0].item<int64_t>(); }
  int64_t buffer() const { return state_.value[1].item<int64_t>(); }
  void keep(int64_t rank, int64_t buffer) {
    state_.value[0] = rank;
    state_.value[1] = buffer;
  }
  double bound_of_a() { return 1 / std::sqrt(static_cast<double>(a().sizes()[1])); }
  double bound_of_b() const { return 1 / std::sqrt(static_cast<double>(largest_)); }
  int64_t all_values() { return std::min(a().sizes()[1], b().sizes()[0]); }

  void grow(StateEditor& state) {
    const int64_t last = std::min(rank() + buffer(), largest_ - buffer()) - 1;
    if (rank() >= largest_ - buffer()) return;
    note_temporaries(a().sizes()[0]);
    const at::Tensor values = product_values(state.value(b()), state.value(a()));
    const Explained rule = options_.rule == "energy" ? Explained::by_energy : Explained::by_variance;
    const int64_t found = explained_rank(values, all_values(), rank(), last, options_.threshold, rule);
    widen(found - rank(), state);
    keep(found, buffer());
  }

  // Adds `more` rows to A and columns to B.
  void widen(int64_t more, StateEditor& state) {
    if (more <= 0) return;
    const at::Tensor old_a = state.value(a()), old_b = state.value(b());
    const at::Tensor rows = at::empty({more, old_a.size(1)}, old_a.options()),
                     columns = at::empty({old_b.size(0), more}, old_b.options());
    draw_uniform(rows, bound_of_a(), state.stream(a(), "inrank"));
    draw_uniform(columns, bound_of_b(), state.stream(b(), "inrank"));
    state.resize(a(), at::cat({old_a, rows}, 0));
    state.resize(b(), at::cat({old_b, columns}, 1));
  }

  // Replaces the factors by the leading singular directions of their product.
  void settle(StateEditor& state) {
    note_temporaries(a().sizes()[0]);
    const ProductSpectrum spectrum = product_spectrum(state.value(b()), state.value(a()));
    const int64_t kept = rank();
    const at::Tensor roots = spectrum.values.slice(0, 0, kept).sqrt();
    state.resize(b(), spectrum.left.slice(1, 0, kept).mul(roots));
    state.resize(a(), spectrum.right.slice(1, 0, kept).mul(roots).t());
    for (Parameter* factor : {&a(), &b()}) state.reset(*factor);
    keep(kept, 0);
  }

  // Counts the largest rank and the decomposition there.
  void count_growth(StateEditor& state) {
    const int64_t most = std::max(options_.rank + options_.buffer, largest_ - 1);
    note_temporaries(most);
    widen(most - a().sizes()[0], state);
  }

  // Values, orthogonal factors and results of a decomposition at this rank.
  void note_temporaries(int64_t rank) {
    const int64_t sum = a().sizes()[1] + b().sizes()[0];
    ledger_.note_transient(4 * (4 * rank * sum + 6 * rank * rank));
  }

  InRankOptions options_;
  int64_t largest_;
  Ledger& ledger_;
  Parameter state_;  // r and b
};

class InRank : public FactorPlaces {
 public:
  explicit InRank(const Json& arguments) : FactorPlaces("inrank", arguments) {
    OptionTable table;
    table.add("r", &o_.rank, "rank from which it grows").range(1, 1e9);
    table.add("buffer", &o_.buffer, "ranks above r that show whether it must grow").range(1, 1e9);
    table.add("max_rank", &o_.max_rank, "largest rank; 0: half of the matrix's").range(0, 1e9);
    table.add("threshold", &o_.threshold, "share that r must explain").range(0, 1);
    table.add("rule", &o_.rule, "share of the singular values' variance, or of their squares' sum")
        .choices({"variance", "energy"});
    table.add("start_steps", &o_.start, "updates before the first check").range(0, 1e15);
    table.add("check_steps", &o_.check, "updates between checks").range(1, 1e15);
    table.add("growth_steps", &o_.growth, "update that ends growth and drops the buffer; 0: none")
        .range(0, 1e15);
    declare_places(table);
    set_options(table, arguments);
  }
  std::unique_ptr<AdaptedLayer> linear(const Place& place, const LinearSize& size, const LayerBuilder& inner,
                                       Ledger& ledger) const override {
    return std::make_unique<InRankLinear>(place, size, o_, largest_rank(place, size, o_), inner, ledger);
  }

 private:
  InRankOptions o_;
};

}  // namespace

AdapterKind inrank_adapter() {
  return {"inrank", "from scratch: products B A whose rank grows in training",
          [](const Adapter::Json& arguments) -> std::shared_ptr<const Adapter> {
            return std::make_shared<InRank>(arguments);
          }};
}

}  // namespace galore
