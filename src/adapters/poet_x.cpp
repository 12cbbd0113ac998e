// POET-X (Qiu et al., "POET-X: memory-efficient LLM training by scaling orthogonal transformation", arXiv
// 2603.05500), after POET (Qiu et al., "Reparameterized LLM training via orthogonal equivalence
// transformation", arXiv 2506.08001): a frozen random weight W between two trained orthogonal matrices.
//
//   symbol  name in code    default  where the default comes from
//   b       block_size      256      the POET-X paper
//   t       neumann_terms   3        the POET-X paper, equation 8
//   T_m     merge_steps     200      the POET paper: 200 and 400 were best
//           init            keep     the weight as the model has it; normalized: its rows get the norm 1, the
//                                    POET paper's best start for a model from scratch
//           lr_ratio        1        learning rate of the orthogonal matrices divided by the run's
//
//   y = R W P x + b;   R and P are block-diagonal behind random permutations (rotations.h)
//   after updates T_m, 2 T_m, ...:  W = R W P; R = P = I, their moments begin anew, new permutations are
//   drawn
//
// The trained elements begin as 0, so R = P = I. They are kept in fp32, b (b - 1) / 2 for each block. W may
// be bf16 or 8-bit codes; it has no gradient, and is rounded once at each merge. All parameters that are not
// wrapped are trained.
//
// As in the paper the matrices act on the inputs, W is never multiplied out, and R W x is computed again in
// the backward pass. Departures: blocks have the largest size up to b that divides the matrix's; W stays in
// the order of its inputs and outputs, and the activations are permuted.
#include <ATen/ATen.h>

#include <cmath>

#include "adapters/adapter_kind.h"
#include "adapters/factor_places.h"
#include "adapters/layer_parts.h"
#include "adapters/rotations.h"
#include "core/errors.h"
#include "core/options.h"
#include "kernels/group_quantize.h"
#include "nn/linear_bias.h"

namespace galore {
namespace {

struct PoetOptions {
  int64_t block_size = 256, terms = 3, merge_steps = 200, seed = 0;
  double lr_ratio = 1;
  std::string init = "keep";
};

std::string last_name(const std::string& name) { return name.substr(name.rfind('.') + 1); }

// One of the two orthogonal matrices.
class Rotation {
 public:
  Rotation(const Place& place, const char* name, int64_t size, const PoetOptions& options, Ledger& ledger)
      : options_(options), block_(block_size_of(size, options.block_size)), ledger_(ledger) {
    if (block_ < 2)
      fail_usage("adapter_args",
                 "block_size: expected at least one divisor of {}, the size of {}, from 2 to it, "
                 "given {}",
                 size, place.name, options.block_size);
    define_fp32(elements_, place, name, {size / block_, block_ * (block_ - 1) / 2}, ledger);
    order_ = ledger.empty(Owner::weights, {size}, at::kLong);
  }

  Parameter& elements() { return elements_; }
  const at::Tensor& order() const { return order_; }
  void draw_order(int64_t round) const {
    if (order_.is_meta()) return;
    order_.copy_(random_order(order_.size(0), {static_cast<uint64_t>(options_.seed), "poet", elements_.name,
                                               static_cast<uint64_t>(round)}));
  }
  // Returns G in fp32. Some t + 6 tensors of its size exist on the way, here and for the gradient.
  at::Tensor blocks() const {
    const int64_t elements = order_.size(0) * block_;
    ledger_.note_transient(4 * (options_.terms + 6) * elements);
    if (order_.is_meta())
      return at::empty({order_.size(0) / block_, block_, block_}, at::dtype(at::kFloat).device(at::kMeta));
    return rotations(skew_symmetric(elements_.value, block_), options_.terms);
  }
  // Reports the gradient, from the gradient of y = rows R^T.
  void report(const at::Tensor& of_output, const at::Tensor& rows, const TurnBuffers& buffers) const {
    if (!elements_.sink) return;
    ledger_.note_transient(4 * (options_.terms + 6) * order_.size(0) * block_);
    if (rows.is_meta()) return report_gradient_of(elements_, elements_.value);
    const at::Tensor of_blocks = gradient_by_blocks(of_output, rows, block_, order_, buffers);
    report_gradient_of(
        elements_, gradient_by_elements(skew_symmetric(elements_.value, block_), of_blocks, options_.terms));
  }

 private:
  const PoetOptions& options_;
  int64_t block_;
  Ledger& ledger_;
  Parameter elements_;
  at::Tensor order_;
};

class PoetLinear : public AdaptedLayer {
 public:
  PoetLinear(const Place& place, const LinearSize& size, const PoetOptions& options,
             const LayerBuilder& inner, Ledger& ledger)
      : options_(options),
        size_(size),
        ledger_(ledger),
        base_(inner.linear(place, without_bias(size))),
        weight_(&weight_of(*base_)),
        left_(place, "poet_R", size.outputs, options_, ledger),
        right_(place, "poet_P", size.inputs, options_, ledger) {
    weight_->trainable = false;
    define_state(round_, place, "poet_round", {1}, ledger);
    round_.listener = this;
    if (size.bias) define_parameter(bias_, place.as(Role::bias), "bias", {size.outputs}, inner);
  }

  void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const override {
    follow_round();
    const Scratch turned = pass.scratch("poet.input", x.sizes()), thin = outputs(pass, "poet.output", x);
    turn(pass, turned, x, right_, false);
    base_->forward(pass, turned, thin, Write::replace);
    const BiasAround bias(out, bias_, write);
    turn(pass, out, thin, left_, false, bias.product() == Write::accumulate);
    bias.finish();
  }

  void input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                      Write write) const override {
    follow_round();
    const Scratch thin = outputs(pass, "poet.output", gradient);
    turn(pass, thin, gradient, left_, true);
    const at::Tensor of_turned = turned_gradient(pass, gradient.size(0));
    base_->input_gradient(pass, thin, of_turned, Write::replace);
    turn(pass, x_gradient, of_turned, right_, true, write == Write::accumulate);
  }

  void report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) override {
    const Scratch turned = pass.scratch("poet.input", x.sizes()), thin = outputs(pass, "poet.output", x);
    turn(pass, turned, x, right_, false);
    base_->forward(pass, turned, thin, Write::replace);
    const at::Tensor of_turned = turned_gradient(pass, gradient.size(0));
    with_buffers(pass, x, [&](const TurnBuffers& buffers) { right_.report(of_turned, x, buffers); });
    with_buffers(pass, gradient, [&](const TurnBuffers& buffers) { left_.report(gradient, thin, buffers); });
    report_bias(pass, bias_, gradient);
  }

  void after_update(int64_t update, StateEditor& state) override {
    if (!ledger_.counting() && update % options_.merge_steps != 0) return;
    ledger_.note_transient(5 * 4 * weight_->numel());
    state.replace(*weight_, turned_weight(state.value(*weight_)));
    for (Rotation* rotation : {&left_, &right_}) {
      state.replace(rotation->elements(), at::zeros_like(rotation->elements().value));
      state.reset(rotation->elements());
    }
    if (!ledger_.counting()) round_.value.add_(1);
  }

  void list(ParameterList& parameters) override {
    base_->list(parameters);
    for (Parameter* own : {&left_.elements(), &right_.elements(), &round_}) parameters.push_back(own);
    if (bias_.value.defined()) parameters.push_back(&bias_);
  }
  const std::string& name() const override { return base_->name(); }

  at::Tensor merged_weight() const override {
    follow_round();
    return turned_weight(base_->merged_weight().to(at::kFloat));
  }

  void initialize(uint64_t) override {
    if (round_.value.is_meta()) return;
    round_.value.zero_();
    for (Rotation* rotation : {&left_, &right_}) rotation->elements().value.zero_();
    if (options_.init != "normalized") return;
    const at::Tensor weight = base_->merged_weight().to(at::kFloat);
    const at::Tensor rows = weight / weight.norm(2, {size_.inputs_first ? 0 : 1}, /*keepdim=*/true);
    if (weight_->codes) return kernels::encode_groups(rows, *weight_->codes, nullptr);
    weight_->value.copy_(rows);
  }

 private:
  // Returns R W P for a weight as it is stored.
  at::Tensor turned_weight(const at::Tensor& stored) const {
    const at::Tensor left = left_.blocks(), right = right_.blocks();
    if (stored.is_meta()) return stored;
    const at::Tensor weight = size_.inputs_first ? stored.t() : stored;
    const at::Tensor half = turned_rows(weight, right, right_.order(), /*back=*/true);
    const at::Tensor whole = turned_rows(half.t(), left, left_.order(), /*back=*/false);
    return size_.inputs_first ? whole : whole.t().contiguous();
  }

  // The permutations belong to the number of merges, which a file may have replaced.
  void follow_round() const {
    if (round_.value.is_meta()) return;
    const auto round = round_.value.item<int64_t>();
    if (drawn_ == round) return;
    left_.draw_order(round);
    right_.draw_order(round);
    drawn_ = round;
  }

  Scratch outputs(const Pass& pass, const char* name, const at::Tensor& x) const {
    return pass.scratch(name, {x.size(0), size_.outputs});
  }
  // Returns the gradient of P x as input_gradient() has left it (T x n).
  at::Tensor turned_gradient(const Pass& pass, int64_t tokens) const {
    return pass.workspace.get(Owner::workspace, "poet.gradient." + last_name(name()), {tokens, size_.inputs},
                              pass.dtype);
  }

  template <typename Use>
  void with_buffers(const Pass& pass, const at::Tensor& rows, const Use& use) const {
    const Scratch ordered = pass.scratch("poet.ordered", rows.sizes()),
                  turned = pass.scratch("poet.turned", rows.sizes());
    use(TurnBuffers{ordered, turned});
  }
  void turn(const Pass& pass, const at::Tensor& out, const at::Tensor& rows, const Rotation& by, bool back,
            bool accumulate = false) const {
    const at::Tensor blocks = by.blocks();
    with_buffers(pass, rows, [&](const TurnBuffers& buffers) {
      turn_rows(out, rows, rows.is_meta() ? blocks : blocks.to(pass.dtype), by.order(), back, buffers,
                accumulate);
    });
  }

  PoetOptions options_;
  LinearSize size_;
  Ledger& ledger_;
  LinearPointer base_;  // without a bias
  Parameter* weight_;
  Rotation left_, right_;
  Parameter round_, bias_;  // the number of merges; bias_ has no value if there is no bias
  mutable int64_t drawn_ = -1;
};

class PoetX : public FactorPlaces {
 public:
  explicit PoetX(const Json& arguments) : FactorPlaces("poet_x", arguments) {
    OptionTable table;
    table.add("block_size", &o_.block_size, "largest size of an orthogonal block").range(2, 65536);
    table.add("neumann_terms", &o_.terms, "terms of the series in place of an inverse").range(1, 32);
    table.add("merge_steps", &o_.merge_steps, "updates between merges into the weight").range(1, 1e15);
    table.add("init", &o_.init, "keep the weights, or give their rows the norm 1")
        .choices({"keep", "normalized"});
    table.add("permutation_seed", &o_.seed, "seed of the permutations").range(0, 1e18);
    table.add("lr_ratio", &o_.lr_ratio, "learning rate of the orthogonal matrices over the run's")
        .range(0, 1e9);
    declare_places(table);
    set_options(table, arguments);
  }
  std::unique_ptr<AdaptedLayer> linear(const Place& place, const LinearSize& size, const LayerBuilder& inner,
                                       Ledger& ledger) const override {
    return std::make_unique<PoetLinear>(place, size, o_, inner, ledger);
  }
  double learning_rate_factor(const Parameter& parameter, double) const override {
    return parameter.role == Role::adapter ? o_.lr_ratio : 1;
  }

 private:
  PoetOptions o_;
};

}  // namespace

AdapterKind poet_x_adapter() {
  return {"poet_x", "frozen weights between trained orthogonal matrices R W P",
          [](const Adapter::Json& arguments) -> std::shared_ptr<const Adapter> {
            return std::make_shared<PoetX>(arguments);
          }};
}

}  // namespace galore
