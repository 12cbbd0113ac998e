#include "nn/expert_mlp.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "core/errors.h"
#include "kernels/activation.h"
#include "nn/router_balance.h"

namespace galore {
namespace {

// Ends the use of the parameters of a layer that has no gradient.
void report_nothing(LinearLayer& layer) {
  ParameterList parameters;
  layer.list(parameters);
  for (Parameter* parameter : parameters)
    if (parameter->sink) parameter->sink->use_done();
}

// Copies the rows of x that an expert reads. Devices without data have no tokens to copy.
at::Tensor gather_rows(const at::Tensor& buffer, const at::Tensor& x, const at::Tensor& tokens,
                       int64_t count) {
  at::Tensor rows = buffer.narrow(0, 0, count);
  if (!rows.is_meta()) at::index_select_out(rows, x, 0, tokens);
  return rows;
}

// Returns the counts that the memory plan takes: no expert rests, and as many as possible have all tokens,
// because some buffers grow with the rows of a product.
at::Tensor counts_of_plan(int64_t tokens, int64_t experts, int64_t each) {
  at::Tensor counts = at::ones({experts}, at::kLong);
  int64_t left = std::max<int64_t>(0, tokens * each - experts);
  for (int64_t i = 0; i < experts && left > 0; ++i) {
    const int64_t more = std::min(left, tokens - 1);
    counts.data_ptr<int64_t>()[i] += more;
    left -= more;
  }
  return counts;
}

void add_to_rows(const at::Tensor& x, const at::Tensor& rows, const at::Tensor& tokens) {
  if (!x.is_meta()) x.index_add_(0, tokens, rows);
}

}  // namespace

ExpertMlp::ExpertMlp(const Place& place, const MlpSize& size, const LayerBuilder& builder) : size_(size) {
  GALORE_ASSERT(size.branch.norm.empty() && size.branch.multiplier == 1 && size.gated);
  const ExpertsSize& experts = size.experts;
  if (experts.per_token < 1 || experts.per_token > experts.count)
    fail("config.json", "num_experts_per_tok is from 1 to num_experts = {}, given {}", experts.count,
         experts.per_token);
  router_ = builder.linear(place.at(experts.router), {size.hidden, experts.count});
  for (int64_t i = 0; i < experts.count; ++i) {
    const Place own = place.at(experts.list).at(std::to_string(i));
    const LinearSize in{size.hidden, size.intermediate};
    experts_.push_back({builder.linear(own.at("gate_proj"), in), builder.linear(own.at("up_proj"), in),
                        builder.linear(own.at("down_proj"), {size.intermediate, size.hidden})});
  }
}

void ExpertMlp::route(const Pass& pass, const at::Tensor& input) {
  const std::array<int64_t, 2> shape{pass.tokens(), size_.experts.count};
  const Scratch logits = pass.scratch("router.logits", shape);
  router_->forward(pass, input, logits, Write::replace);
  at::Tensor probabilities = pass.saved_statistics("router.probabilities", shape);
  const at::Tensor chosen = pass.workspace.get(Owner::activations, pass.prefix + "router.chosen",
                                               {pass.tokens(), size_.experts.per_token}, at::kLong);
  if (chosen.is_meta()) return;
  probabilities.copy_(logits->to(at::kFloat).softmax(1));
  chosen.copy_(std::get<1>(probabilities.topk(size_.experts.per_token, 1)));
}

ExpertMlp::Routes ExpertMlp::routes(const Pass& pass) const {
  const int64_t tokens = pass.tokens(), experts = size_.experts.count, each = size_.experts.per_token;
  Routes routes;
  routes.probabilities = pass.saved_statistics("router.probabilities", {tokens, experts});
  routes.chosen =
      pass.workspace.get(Owner::activations, pass.prefix + "router.chosen", {tokens, each}, at::kLong);
  if (routes.chosen.is_meta()) {
    routes.counts = counts_of_plan(tokens, experts, each);
    return routes;
  }
  routes.pairs = routes.chosen.flatten().argsort(/*stable=*/true, 0, /*descending=*/false);
  routes.counts = at::bincount(routes.chosen.flatten(), {}, experts).cpu();
  routes.weights = routes.probabilities.gather(1, routes.chosen);
  if (size_.experts.normalized) routes.weights.div_(routes.weights.sum(1, true));
  return routes;
}

template <typename Work, typename Idle>
void ExpertMlp::for_each_expert(const Routes& routes, const Work& work, const Idle& idle) {
  const int64_t* counts = routes.counts.const_data_ptr<int64_t>();
  const int64_t pairs = routes.chosen.numel();
  int64_t first = 0;
  for (size_t i = 0; i < experts_.size(); first += counts[i++]) {
    if (counts[i] == 0) {
      idle(experts_[i]);
      continue;
    }
    // The memory plan may give a token to more experts than there are pairs.
    Share share{{}, {}, std::min(first, pairs - counts[i]), counts[i]};
    if (routes.pairs.defined()) {
      share.pairs = routes.pairs.narrow(0, first, share.count);
      share.tokens = share.pairs.div(size_.experts.per_token, "floor");
    }
    work(experts_[i], share);
  }
}

at::Tensor ExpertMlp::saved(const Pass& pass, const char* name, const Share& share) const {
  const std::array<int64_t, 2> shape{pass.tokens() * size_.experts.per_token, size_.intermediate};
  return pass.saved(name, shape).narrow(0, share.first, share.count);
}

Scratch ExpertMlp::gathered(const Pass& pass, const char* name) const {
  return pass.scratch(name, {pass.tokens(), size_.hidden});
}

void ExpertMlp::run_gate_and_up(const Pass& pass, Expert& expert, const Share& share,
                                const at::Tensor& input) {
  const Scratch buffer = gathered(pass, "experts.input");
  const at::Tensor rows = gather_rows(buffer, input, share.tokens, share.count);
  expert.gate->forward(pass, rows, saved(pass, "gate", share), Write::replace);
  expert.up->forward(pass, rows, saved(pass, "up", share), Write::replace);
}

void ExpertMlp::forward_inputs(const Pass& pass, const at::Tensor& input) {
  route(pass, input);
  const auto run = [&](Expert& expert, const Share& share) { run_gate_and_up(pass, expert, share, input); };
  for_each_expert(routes(pass), run, [](Expert&) {});
}

void ExpertMlp::forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) {
  route(pass, input);
  const Routes routes = this->routes(pass);
  if (pass.balance && !stream.is_meta()) pass.balance->add(routes.probabilities, routes.counts);
  const Activation& activation = *find_activation(size_.activation);
  const auto run = [&](Expert& expert, const Share& share) {
    run_gate_and_up(pass, expert, share, input);
    const Scratch products = pass.scratch("mlp.product", {pass.tokens(), size_.intermediate});
    const Scratch buffer = gathered(pass, "experts.output");
    const at::Tensor product = products->narrow(0, 0, share.count), out = buffer->narrow(0, 0, share.count);
    gated(product, saved(pass, "gate", share), saved(pass, "up", share), activation);
    expert.down->forward(pass, product, out, Write::replace);
    if (out.is_meta()) return;
    out.mul_(routes.weights.flatten().index_select(0, share.pairs).unsqueeze(1));
    add_to_rows(stream, out, share.tokens);
  };
  for_each_expert(routes, run, [](Expert&) {});
}

void ExpertMlp::backward_expert(const Pass& pass, Expert& expert, const Share& share,
                                const at::Tensor& weights, const at::Tensor& weight_gradient,
                                const at::Tensor& rows) {
  const std::array<int64_t, 2> shape{pass.tokens(), size_.intermediate};
  const Scratch products = pass.scratch("mlp.product", shape),
                gradients = pass.scratch("mlp.product_gradient", shape);
  const at::Tensor product = products->narrow(0, 0, share.count),
                   gradient = gradients->narrow(0, 0, share.count);
  const at::Tensor gate = saved(pass, "gate", share), up = saved(pass, "up", share);
  const Activation& activation = *find_activation(size_.activation);
  // An expert's output y has the weight w, so dL/dw = dL/dz . y = (W^T dL/dz) . product for the weighted sum
  // z.
  gated(product, gate, up, activation);
  expert.down->input_gradient(pass, rows, gradient, Write::replace);
  if (!rows.is_meta()) {
    weight_gradient.view({-1}).index_copy_(0, share.pairs, (gradient * product).sum(1).to(at::kFloat));
    const at::Tensor weight = weights.flatten().index_select(0, share.pairs).unsqueeze(1);
    gradient.mul_(weight);
    rows.mul_(weight);
  }
  gated_backward(gate, up, gradient, activation);
  expert.down->report_gradient(pass, rows, product);
}

void ExpertMlp::backward(const Pass& pass, const at::Tensor& stream_gradient,
                         const at::Tensor& input_gradient) {
  const Routes routes = this->routes(pass);
  const at::Tensor weight_gradient = pass.workspace.get(Owner::workspace, "router.weight_gradient",
                                                        {pass.tokens(), size_.experts.per_token}, at::kFloat);
  input_gradient.zero_();
  const auto run = [&](Expert& expert, const Share& share) {
    const Scratch buffer = gathered(pass, "experts.output"), inputs = gathered(pass, "experts.input");
    const at::Tensor rows = gather_rows(buffer, stream_gradient, share.tokens, share.count);
    backward_expert(pass, expert, share, routes.weights, weight_gradient, rows);
    const at::Tensor x = inputs->narrow(0, 0, share.count);
    expert.gate->input_gradient(pass, saved(pass, "gate", share), x, Write::replace);
    expert.up->input_gradient(pass, saved(pass, "up", share), x, Write::accumulate);
    add_to_rows(input_gradient, x, share.tokens);
  };
  for_each_expert(routes, run, [](Expert& expert) { report_nothing(*expert.down); });
  backward_router(pass, routes, weight_gradient);
  router_->input_gradient(pass, logits_gradient(pass), input_gradient, Write::accumulate);
}

at::Tensor ExpertMlp::logits_gradient(const Pass& pass) const {
  return pass.saved("router.logits_gradient", {pass.tokens(), size_.experts.count});
}

void ExpertMlp::backward_router(const Pass& pass, const Routes& routes, const at::Tensor& weight_gradient) {
  const at::Tensor out = logits_gradient(pass);
  if (out.is_meta()) return;
  const at::Tensor& p = routes.probabilities;
  at::Tensor chosen = weight_gradient;
  if (size_.experts.normalized) {
    const at::Tensor sum = p.gather(1, routes.chosen).sum(1, true);
    chosen = (chosen - (chosen * routes.weights).sum(1, true)) / sum;
  }
  at::Tensor gradient = at::zeros_like(p).scatter_(1, routes.chosen, chosen);
  if (pass.balance) gradient.add_(pass.balance->probability_gradient().to(p.device()));
  out.copy_(p * (gradient - (gradient * p).sum(1, true)));
}

void ExpertMlp::report_inputs(const Pass& pass, const at::Tensor& input) {
  const auto run = [&](Expert& expert, const Share& share) {
    const Scratch buffer = gathered(pass, "experts.input");
    const at::Tensor rows = gather_rows(buffer, input, share.tokens, share.count);
    expert.gate->report_gradient(pass, saved(pass, "gate", share), rows);
    expert.up->report_gradient(pass, saved(pass, "up", share), rows);
  };
  for_each_expert(routes(pass), run, [](Expert& expert) {
    report_nothing(*expert.gate);
    report_nothing(*expert.up);
  });
  router_->report_gradient(pass, logits_gradient(pass), input);
}

void ExpertMlp::list(ParameterList& parameters) {
  router_->list(parameters);
  for (Expert& expert : experts_)
    for (const LinearPointer* layer : {&expert.gate, &expert.up, &expert.down}) (*layer)->list(parameters);
}

}  // namespace galore
