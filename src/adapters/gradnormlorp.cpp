// GradNormLoRP (Huang et al., "Gradient weight-normalized low-rank projection for efficient LLM training",
// arXiv 2412.19616): the rows of a weight are normalized, and a norm of its own is trained for each row.
// Legend: m outputs, n inputs, T tokens, dY gradient of the output.
//
//   variant=paper     y = diag(g / |V|) V x + b with V = W + s B A and W frozen; with c = g / |V| and the
//                     norm's gradient in full:
//                       dg_j = dY_j . (V x)_j / |V_j|;   dV = diag(c) dY^T x - diag(c dg / |V|) V
//                       dB = s dV A^T;   dA = s B^T dV
//                     No gradient of size m x n is formed. With merge_steps, W becomes V at intervals, A is
//                     drawn again, B becomes zero and their moments begin anew.
//   variant=released  y = diag(g / |W|) W x + b with W trained, in the form of the authors' optimizer for
//                     fine-tuning: W gets the gradient dY^T x of the product as it stands, and each update of
//                     g starts from |W| before the update, so a trained norm lives for one update.
//
//   symbol  name in code    default  where the default comes from
//   r       r               128      the authors' README (variant=paper)
//   s       lora_alpha / r  1        the paper, which has no scale
//           merge_steps     0        never
//
// The paper projects the factors' gradients too: train the adapter by a preset with a basis and name the
// factors, as in optim=galore_adamw, optim_target_modules=lora_A,lora_B. variant=released is meant for the
// same presets, which then project W.
#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "adapters/adapter_kind.h"
#include "adapters/dora_linear.h"
#include "adapters/factor_places.h"
#include "adapters/layer_parts.h"
#include "core/options.h"
#include "kernels/convert.h"
#include "nn/linear_bias.h"

namespace galore {
namespace {

struct GradNormOptions {
  int64_t rank = 128, merge_steps = 0;
  double alpha = 0, dropout = 0;
  std::string variant = "paper";

  double scale() const { return alpha > 0 ? alpha / static_cast<double>(rank) : 1; }
};

class FullNormLinear : public DoraLinear {
 public:
  FullNormLinear(const Place& place, const LinearSize& size, const GradNormOptions& options,
                 const LayerBuilder& inner, Ledger& ledger)
      : DoraLinear(place, size, {options.rank, options.scale(), options.dropout}, inner, ledger),
        options_(options),
        inputs_first_(size.inputs_first),
        ledger_(ledger) {
    ParameterList parameters;
    list(parameters);
    weight_ = &weight_of(base());
    a_ = parameters[parameters.size() - 3];
    b_ = parameters[parameters.size() - 2];
    weight_->trainable = false;
    a_->whole_products = b_->whole_products = false;
    a_->listener = this;
  }

  void report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) override {
    const LoraFactors::Input input = factors().input(pass, x);
    const Scratch scaled = this->scaled(pass, gradient, 0);
    const Correction less = correction(pass, gradient, *input);
    const Scratch thin_x = pass.scratch("gradnorm.thin_input", {x.size(0), options_.rank}),
                  thin_dy = pass.scratch("gradnorm.thin_gradient", {x.size(0), options_.rank});
    const at::Tensor a = converted(a_->value, pass.dtype, pass.workspace, "adapter.a"),
                     b = converted(b_->value, pass.dtype, pass.workspace, "adapter.b");
    product_x_wt(thin_x, *input, a, Write::replace, pass.workspace);
    product_x_w(thin_dy, scaled, b, Write::replace, pass.workspace);
    for (const Scratch* thin : {&thin_x, &thin_dy})
      if (!(*thin)->is_meta()) (*thin)->mul_(options_.scale());
    report_magnitude(pass, gradient, *input);
    report(*a_, thin_dy, *input, less.a);
    report(*b_, scaled, thin_x, less.b);
    report_bias(pass, bias(), gradient);
  }

  void after_update(int64_t update, StateEditor& state) override {
    const bool merges = options_.merge_steps > 0 && update % options_.merge_steps == 0;
    if (options_.merge_steps == 0 || (!ledger_.counting() && !merges)) return;
    ledger_.note_transient(3 * 4 * weight_->numel());
    const at::Tensor a = state.value(*a_), b = state.value(*b_), weight = state.value(*weight_);
    const at::Tensor product = b.mm(a).mul_(options_.scale());
    state.replace(*weight_, weight.add(inputs_first_ ? product.t() : product));
    draw_uniform(a, 1 / std::sqrt(static_cast<double>(a.size(1))), state.stream(*a_, "gradnormlorp"));
    state.replace(*a_, a);
    state.replace(*b_, b.zero_());
    for (Parameter* factor : {a_, b_}) state.reset(*factor);
    forget_norms();
  }

 private:
  // The parts of the factors' gradients that come from the norm, in fp32 (r x n and m x r).
  struct Correction {
    Scratch a, b;
  };

  static void report(const Parameter& factor, const at::Tensor& left, const at::Tensor& right,
                     const at::Tensor& more) {
    if (!factor.sink) return;
    factor.sink->add_product(left, right);
    factor.sink->add(more);
    factor.sink->use_done();
  }

  Correction correction(const Pass& pass, const at::Tensor& gradient, const at::Tensor& input) const {
    const auto lease = [&](const char* name, at::IntArrayRef sizes) {
      return pass.workspace.lease(Owner::workspace, name, sizes, at::kFloat);
    };
    Correction less{lease("gradnorm.a", a_->sizes()), lease("gradnorm.b", b_->sizes())};
    const Scratch shares = this->shares(pass, gradient, input);
    const Scratch rows = pass.scratch("adapter.rows", a_->sizes()),
                  columns = pass.scratch("gradnorm.columns", {options_.rank, b_->sizes()[0]}),
                  of_rows = pass.scratch("gradnorm.of_rows", {options_.rank, b_->sizes()[0]}),
                  of_columns = pass.scratch("gradnorm.of_columns", a_->sizes());
    ledger_.note_transient(4 * (b_->numel() + 3 * options_.rank * options_.rank + a_->numel() + b_->numel()));
    const bool real = !rows->is_meta();
    const at::Tensor spread = real ? b_->value.mul(shares->unsqueeze(1)) : b_->value;
    if (real) rows->copy_(a_->value), columns->copy_(spread.t());
    base().forward(pass, rows, of_rows, Write::replace);               // A W^T
    base().input_gradient(pass, columns, of_columns, Write::replace);  // (diag B)^T W
    if (!real) return less;
    const double s = options_.scale();
    const at::Tensor a = a_->value, b = b_->value;
    less.a->copy_(*of_columns).addmm_(spread.t().mm(b), a, 1, s).mul_(-s);
    less.b->copy_(of_rows->t()).addmm_(b, a.mm(a.t()), 1, s).mul_(shares->unsqueeze(1)).mul_(-s);
    return less;
  }

  // Returns c dg / |V| (m).
  Scratch shares(const Pass& pass, const at::Tensor& gradient, const at::Tensor& input) const {
    Scratch shares = pass.workspace.lease(Owner::workspace, "gradnorm.shares", {b_->sizes()[0]}, at::kFloat);
    const Scratch directions = this->directions(pass, input), norms = this->norms(pass);
    if (shares->is_meta()) return shares;
    at::Tensor out = *shares;
    directions->mul_(gradient);
    at::sum_out(out, directions, {0}, /*keepdim=*/false, at::kFloat);
    out.mul_(magnitude()).div_(*norms).div_(*norms).div_(*norms);
    return shares;
  }

  GradNormOptions options_;
  bool inputs_first_;
  Ledger& ledger_;
  Parameter *weight_ = nullptr, *a_ = nullptr, *b_ = nullptr;
};

class OneStepNormLinear : public AdaptedLayer {
 public:
  OneStepNormLinear(const Place& place, const LinearSize& size, const LayerBuilder& inner, Ledger& ledger)
      : outputs_(size.outputs),
        inputs_first_(size.inputs_first),
        base_(inner.linear(place, without_bias(size))),
        weight_(&weight_of(*base_)) {
    define_fp32(norm_, place, "weight_norm", {outputs_}, ledger);
    define_state(before_, place, "weight_norm_before", {2, outputs_}, ledger);
    norm_.listener = this;
    if (size.bias) define_parameter(bias_, place.as(Role::bias), "bias", {size.outputs}, inner);
  }

  void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const override {
    const Scratch product = pass.scratch("gradnorm.product", {x.size(0), outputs_});
    base_->forward(pass, x, product, Write::replace);
    if (out.is_meta()) return;
    product->mul_(factors(pass));
    if (bias_.value.defined()) product->add_(bias_.value);
    write == Write::replace ? out.copy_(*product) : out.add_(*product);
  }

  void input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                      Write write) const override {
    const Scratch scaled = pass.scratch("gradnorm.product", {gradient.size(0), outputs_});
    if (!scaled->is_meta()) scaled->copy_(gradient).mul_(factors(pass));
    base_->input_gradient(pass, scaled, x_gradient, write);
  }

  void report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) override {
    const Scratch product = pass.scratch("gradnorm.product", {x.size(0), outputs_});
    const Scratch sum = pass.workspace.lease(Owner::workspace, "gradnorm.shares", {outputs_}, at::kFloat);
    base_->forward(pass, x, product, Write::replace);
    if (!sum->is_meta()) {
      at::Tensor out = *sum;
      product->mul_(gradient);
      at::sum_out(out, product, {0}, /*keepdim=*/false, at::kFloat);
      out.div_(norms());
    }
    report_gradient_of(norm_, sum);
    report_bias(pass, bias_, gradient);
    base_->report_gradient(pass, gradient, x);
  }

  // The update has moved g from its value in this pass; it should have moved it from |W| in this pass.
  void after_update(int64_t, StateEditor& state) override {
    const at::Tensor weight = state.value(*weight_), g = state.value(norm_);
    if (!g.is_meta()) {
      g.sub_(before_.value[1]).add_(before_.value[0]);
      set_norms(weight);
      before_.value[1].copy_(g);
    }
    state.replace(norm_, g);
  }

  void list(ParameterList& parameters) override {
    base_->list(parameters);
    if (bias_.value.defined()) parameters.push_back(&bias_);
    parameters.push_back(&norm_);
    parameters.push_back(&before_);
  }
  const std::string& name() const override { return base_->name(); }

  at::Tensor merged_weight() const override {
    const at::Tensor factors = norm_.value.div(norms()).unsqueeze(inputs_first_ ? 0 : 1);
    return base_->merged_weight().to(at::kFloat).mul(factors);
  }

  void initialize(uint64_t) override {
    if (norm_.value.is_meta()) return;
    set_norms(base_->merged_weight().to(at::kFloat));
    norm_.value.copy_(before_.value[0]);
    before_.value[1].copy_(norm_.value);
  }

 private:
  at::Tensor norms() const { return before_.value[0].clamp_min(std::numeric_limits<float>::min()); }
  at::Tensor factors(const Pass& pass) const { return norm_.value.div(norms()).to(pass.dtype); }
  void set_norms(const at::Tensor& weight) {
    before_.value[0].copy_(weight.norm(2, {inputs_first_ ? 0 : 1}));
  }

  int64_t outputs_;
  bool inputs_first_;
  LinearPointer base_;  // without a bias
  Parameter* weight_;
  Parameter norm_, bias_;  // bias_ has no value if there is no bias
  Parameter before_;       // |W| and g in this update's passes
};

class GradNormLoRp : public FactorPlaces {
 public:
  explicit GradNormLoRp(const Json& arguments) : FactorPlaces("gradnormlorp", arguments) {
    OptionTable table;
    table
        .add("variant", &o_.variant,
             "paper: norms and factors of frozen weights; released: norms and weights")
        .choices({"paper", "released"});
    table.add("r", &o_.rank, "rank of the factors").range(1, 1e9);
    table.add("lora_alpha", &o_.alpha, "the product is multiplied by lora_alpha / r; 0: by 1").range(0, 1e9);
    table.add("lora_dropout", &o_.dropout, "dropout of the factors' input").range(0, 1 - 1e-9);
    table.add("merge_steps", &o_.merge_steps, "updates between merges of the factors; 0: never")
        .range(0, 1e15);
    declare_places(table);
    set_options(table, arguments);
  }
  std::unique_ptr<AdaptedLayer> linear(const Place& place, const LinearSize& size, const LayerBuilder& inner,
                                       Ledger& ledger) const override {
    if (o_.variant == "released") return std::make_unique<OneStepNormLinear>(place, size, inner, ledger);
    rank_at(place, size, o_.rank);
    return std::make_unique<FullNormLinear>(place, size, o_, inner, ledger);
  }

 private:
  GradNormOptions o_;
};

}  // namespace

AdapterKind gradnormlorp_adapter() {
  return {"gradnormlorp", "weights with trained row norms and low-rank directions",
          [](const Adapter::Json& arguments) -> std::shared_ptr<const Adapter> {
            return std::make_shared<GradNormLoRp>(arguments);
          }};
}

}  // namespace galore
