#include "optim/weight_editor.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/errors.h"
#include "kernels/apply_direction.h"
#include "kernels/group_quantize.h"
#include "kernels/weight_term.h"
#include "optim/parameter_groups.h"

namespace galore {
namespace {

// Calls a function with each average of a state and passes by everything else.
class AverageVisitor : public StateVisitor {
 public:
  using Change = std::function<void(const std::string& name, StoredAverage& average)>;
  explicit AverageVisitor(const Change& change) : change_(change) {}
  void tensor(const std::string&, at::Tensor&) override {}
  void scalar(const std::string&, int64_t&) override {}
  void scalar(const std::string&, double&) override {}
  bool average(const std::string& name, StoredAverage& average) override {
    change_(name, average);
    return true;
  }

 private:
  const Change& change_;
};

// Returns the quantile of these numbers, interpolated between the two nearest as in numpy.
float quantile_of(const at::Tensor& numbers, double quantile) {
  const double position = quantile * static_cast<double>(numbers.numel() - 1);
  const auto ranked = [&](double rank) {
    return std::get<0>(numbers.flatten().kthvalue(static_cast<int64_t>(rank) + 1)).item<float>();
  };
  const float low = ranked(std::floor(position)), high = ranked(std::ceil(position));
  return low + static_cast<float>(position - std::floor(position)) * (high - low);
}

at::Tensor random_numbers(at::IntArrayRef sizes, RandomStream stream) {
  const at::Tensor numbers = at::empty(sizes, at::kFloat);
  float* const out = numbers.mutable_data_ptr<float>();
  for (int64_t i = 0; i < numbers.numel(); ++i) out[i] = static_cast<float>(stream.uniform());
  return numbers;
}

}  // namespace

WeightState* WeightEditor::find(const Parameter& parameter) const {
  for (const auto& weight : weights_)
    if (&weight->parameter == &parameter) return weight.get();
  return nullptr;
}

void WeightEditor::change_averages(const Parameter& parameter, const Change& change) {
  WeightState* const weight = find(parameter);
  if (!weight) return;
  AverageVisitor visitor(change);
  weight->method->visit(visitor);
}

at::Tensor WeightEditor::value(const Parameter& parameter) const {
  workspace_.ledger().note_transient(4 * parameter.numel());
  if (workspace_.ledger().counting())
    return at::empty(parameter.sizes(), at::dtype(at::kFloat).device(at::kMeta));
  const WeightState* const weight = find(parameter);
  if (weight && weight->master.defined() && !parameter.has_term())
    return weight->master.view(parameter.sizes()).clone();
  return effective_value(parameter).to(at::kFloat);
}

void WeightEditor::replace(Parameter& parameter, const at::Tensor& value) {
  GALORE_ASSERT(value.sizes() == parameter.sizes());
  WeightState* const weight = find(parameter);
  if (weight && weight->lazy) weight->lazy->clear();
  if (value.is_meta()) return;
  if (parameter.codes) return kernels::encode_groups(value, *parameter.codes, nullptr);
  if (weight && weight->master.defined()) weight->master.copy_(value.view(weight->master.sizes()));
  parameter.value.copy_(value);
}

void WeightEditor::resize(Parameter& parameter, const at::Tensor& value) {
  GALORE_ASSERT(parameter.value.defined() && value.dim() == parameter.value.dim());
  Ledger& ledger = workspace_.ledger();
  ledger.add(Owner::weights, -static_cast<int64_t>(parameter.value.nbytes()));
  parameter.value = ledger.empty(Owner::weights, value.sizes(), parameter.value.scalar_type());
  if (WeightState* const weight = find(parameter)) weight->follow_sizes(workspace_);
  replace(parameter, value);
}

void WeightEditor::report_rank(const std::string& layer, int64_t rank, bool changed) {
  sum_of_ranks_ += rank;
  ++num_ranks_;
  if (changed) changed_ranks_.push_back({layer, rank, std::nullopt});
}

void WeightEditor::complete(UpdateReport& report) const {
  for (const std::string& message : messages_)
    report.notices.push_back(fmt::format("update {}: {}", updates_, message));
  report.refreshed.insert(report.refreshed.end(), changed_ranks_.begin(), changed_ranks_.end());
  if (num_ranks_ > 0) report.mean_rank = static_cast<double>(sum_of_ranks_) / static_cast<double>(num_ranks_);
}

void WeightEditor::reset(Parameter& parameter) {
  change_averages(parameter, [](const std::string&, StoredAverage& average) { average.clear(); });
}

void WeightEditor::prune_at_random(Parameter& parameter, double probability) {
  change_averages(parameter, [&](const std::string& name, StoredAverage& average) {
    const at::Tensor numbers = average.read();
    workspace_.ledger().note_transient(2 * 4 * numbers.numel());
    if (numbers.is_meta()) return;
    const RandomStream stream(seed_, "prune", parameter.name + "." + name, static_cast<uint64_t>(updates_));
    const at::Tensor drawn = random_numbers(numbers.sizes(), stream).to(numbers.device());
    average.write(numbers.masked_fill(drawn < probability, 0));
  });
}

void WeightEditor::prune_smallest(Parameter& parameter, double quantile) {
  change_averages(parameter, [&](const std::string&, StoredAverage& average) {
    const at::Tensor numbers = average.read();
    workspace_.ledger().note_transient(3 * 4 * numbers.numel());
    if (numbers.is_meta() || numbers.numel() == 0) return;
    const at::Tensor sizes = numbers.abs();
    average.write(numbers.masked_fill(sizes <= quantile_of(sizes, quantile), 0));
  });
}

}  // namespace galore
