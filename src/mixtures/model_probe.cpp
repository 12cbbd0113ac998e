#include "mixtures/model_probe.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/errors.h"

namespace galore {
namespace {

constexpr const char* kTarget = "target";

std::vector<InnerProduct> kinds_of(const LearningOptions& options) {
  if (options.inner == "projected") return {InnerProduct::projected};
  if (options.inner == "both") return {InnerProduct::exact, InnerProduct::projected};
  return {InnerProduct::exact};
}

std::string source_set(size_t source) { return "source" + std::to_string(source); }

}  // namespace

Batch DrawnRows::of_source(size_t source, int64_t step) {
  const std::string& name = mixture_.name(source);
  RandomStream random(seed_, step < 0 ? "mixture losses" : "mixture measurement", name,
                      static_cast<uint64_t>(std::max<int64_t>(step, 0)));
  return mixture_.draw(std::vector<size_t>(static_cast<size_t>(rows_), source), random);
}

// Row i of n comes from the source at (i + u) / n of the cumulated weights, with one random u. This
// systematic sampling gives each source its share of the rows, rounded up or down.
Batch DrawnRows::of_target(int64_t step) {
  if (target_.empty()) return mixture_.peek(rows_);
  RandomStream random(seed_, "mixture target", "", static_cast<uint64_t>(step));
  const double offset = random.uniform();
  std::vector<size_t> sources;
  double sum = 0;
  for (size_t k = 0; k < target_.size(); ++k) {
    sum += target_[k];
    while (std::ssize(sources) < rows_ &&
           (static_cast<double>(sources.size()) + offset) / static_cast<double>(rows_) < sum)
      sources.push_back(k);
  }
  return mixture_.draw(sources, random);
}

ModelProbe::ModelProbe(TrainableModel& model, std::unique_ptr<ProbeRows> rows, const LearningOptions& options,
                       const SubspaceOf& subspace_of, Workspace& workspace, Collective& collective)
    : model_(model),
      rows_(std::move(rows)),
      options_(options),
      workspace_(workspace),
      collective_(collective),
      gradients_(model, kinds_of(options), subspace_of, workspace) {
  if (options.method != "gar" || options.form != "directional") return;
  for (const Parameter* parameter : gradients_.parameters())
    if (parameter->codes || parameter->value.scalar_type() != at::kFloat)
      fail_usage("mixture_args", "form: expected products, because {} is not kept in fp32, given directional",
                 parameter->name);
}

// Dropout masks of a measurement differ from those of updates.
void ModelProbe::draw_dropout(int64_t step) { model_.set_dropout({0x6d697874757265, step, 0}); }

Alignment ModelProbe::alignment(int64_t step) {
  draw_dropout(step);
  gradients_.collect(rows_->of_target(step), kTarget);
  return options_.form == "directional" ? by_difference(step) : by_products(step);
}

// Each process measures every N-th source. Sums over the processes would change the numbers' bits, so each
// number is taken from the process that measured it.
template <typename Measure>
std::vector<double> ModelProbe::of_all_sources(size_t width, const Measure& measure) {
  const size_t count = rows_->num_sources(), processes = static_cast<size_t>(collective_.size());
  std::vector<double> own(count * width, 0);
  for (auto k = static_cast<size_t>(collective_.index()); k < count; k += processes) {
    const std::vector<double> measured = measure(k);
    std::copy(measured.begin(), measured.end(), own.begin() + static_cast<std::ptrdiff_t>(k * width));
  }
  const std::vector<double> all = collective_.gather(own);
  for (size_t i = 0; i < own.size(); ++i) own[i] = all[(i / width % processes) * own.size() + i];
  return own;
}

Alignment ModelProbe::by_products(int64_t step) {
  const size_t kinds = kinds_of(options_).size();
  const std::vector<double> products = of_all_sources(
      kinds, [&](size_t source) { return gradients_.rate(rows_->of_source(source, step), kTarget); });
  Alignment alignment;
  for (size_t i = 0; i < products.size(); ++i)
    (i % kinds == 0 ? alignment.rewards : alignment.projected).push_back(products[i]);
  return alignment;
}

double ModelProbe::loss_of(size_t source, int64_t step) {
  const double loss = model_.evaluate(rows_->of_source(source, step)).mean();
  return std::isnan(loss) ? 0 : loss;
}

// Each weight is moved from its copy and set back to it, so that a measurement changes nothing.
void ModelProbe::move(double distance) {
  for (Parameter* parameter : gradients_.parameters()) {
    const at::Tensor copy = workspace_.get(Owner::gradients, "mixture.copy." + parameter->name,
                                           parameter->value.sizes(), at::kFloat);
    parameter->value.copy_(copy);
    if (distance == 0) continue;
    parameter->value.add_(gradients_.part(kTarget, *parameter).view_as(parameter->value), distance);
  }
}

// The central difference of the losses along the target's gradient h, over a step of the length `step`.
Alignment ModelProbe::by_difference(int64_t step) {
  for (Parameter* parameter : gradients_.parameters())
    workspace_.get(Owner::gradients, "mixture.copy." + parameter->name, parameter->value.sizes(), at::kFloat)
        .copy_(parameter->value);
  const double norm = std::sqrt(gradients_.dot(kTarget, kTarget));
  const size_t count = rows_->num_sources();
  if (!(norm > 0) && !gradients_.part(kTarget, *gradients_.parameters().front()).is_meta())
    return {std::vector<double>(count, norm)};
  const double distance = norm > 0 ? options_.step / norm : 1;
  Alignment alignment{std::vector<double>(count, 0)};
  const auto set_back = [this](void*) { move(0); };
  const std::unique_ptr<void, decltype(set_back)> at_the_end(this, set_back);
  for (const double sign : {1.0, -1.0}) {
    move(sign * distance);
    const std::vector<double> losses = losses_at(step);
    for (size_t k = 0; k < count; ++k) alignment.rewards[k] += sign * losses[k] / (2 * distance);
  }
  return alignment;
}

GradientGram ModelProbe::gram(int64_t step) {
  draw_dropout(step);
  const size_t count = rows_->num_sources();
  GradientGram gram;
  for (size_t k = 0; k < count; ++k) gradients_.collect(rows_->of_source(k, step), source_set(k));
  gram.products.assign(count, std::vector<double>(count, 0));
  for (size_t i = 0; i < count; ++i)
    for (size_t j = 0; j <= i; ++j)
      gram.products[i][j] = gram.products[j][i] = gradients_.dot(source_set(i), source_set(j));
  if (options_.target == "sources") return gram;
  gradients_.collect(rows_->of_target(step), kTarget);
  for (size_t k = 0; k < count; ++k) gram.with_target.push_back(gradients_.dot(source_set(k), kTarget));
  gram.target_norm = std::sqrt(gradients_.dot(kTarget, kTarget));
  return gram;
}

std::vector<double> ModelProbe::losses_at(int64_t step) {
  return of_all_sources(1, [&](size_t source) { return std::vector<double>{loss_of(source, step)}; });
}

void plan_measurement(MixtureProbe& probe, const LearningOptions& options) {
  if (options.method == "gar") probe.alignment(1);
  if (options.method == "doge") probe.gram(1);
  if (options.method == "aioli") probe.losses();
}

}  // namespace galore
