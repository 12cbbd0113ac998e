// Registers the engine of the optimizers as the class torch.classes.galore.Engine. This file converts values
// between Python and the library, and does nothing else. TORCH_LIBRARY needs no Python headers, so one
// library serves every version of Python.
#include <torch/custom_class.h>
#include <torch/library.h>

#include <cmath>
#include <map>

#include "core/errors.h"
#include "optim/foreign_names.h"
#include "optim/grouped_options.h"
#include "optim/named_state.h"
#include "optim/preset_table.h"
#include "optim/torch_optimizer.h"

namespace galore {
namespace {

using Strings = std::vector<std::string>;
using Integers = std::vector<int64_t>;
using Numbers = std::vector<double>;
using Values = c10::Dict<std::string, at::Tensor>;

// Returns the pairs of a list that holds a pair in every two items.
std::vector<std::pair<std::string, std::string>> pairs_of(const Strings& items) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (size_t i = 0; i + 1 < items.size(); i += 2) pairs.emplace_back(items[i], items[i + 1]);
  return pairs;
}

class Engine : public torch::CustomClassHolder {
 public:
  // One item for each parameter: its name, its tensor, and four numbers: role (-1: by its name), settings,
  // whether it is projected (-1: target_modules decide), and whether it reports products. `settings` and
  // `options` hold pairs.
  Engine(const Strings& names, const std::vector<at::Tensor>& tensors, const std::vector<Integers>& facts,
         const Strings& settings, const Strings& options)
      : device_(tensors.at(0).device()) {
    std::vector<TorchOptimizer::Entry> entries;
    std::vector<GroupedWeight> weights;
    for (size_t i = 0; i < names.size(); ++i) {
      const int64_t role = facts[i].at(0), settings_of = facts[i].at(1), targeted = facts[i].at(2);
      entries.push_back(
          {.name = names[i],
           .tensor = tensors[i],
           .role = role < 0 ? role_by_name(names[i], tensors[i].dim()) : static_cast<Role>(role),
           .layer = layer_by_name(names[i]),
           .whole_products = facts[i].at(3) != 0});
      weights.push_back({.name = names[i], .settings = static_cast<size_t>(settings_of)});
      if (targeted >= 0) weights.back().targeted = targeted != 0;
    }
    std::vector<GroupSettings> groups;
    for (const auto& [optim, optim_args] : pairs_of(settings)) groups.push_back({optim, optim_args});
    engine_ = std::make_unique<TorchOptimizer>(entries, grouped_options(groups, weights, pairs_of(options)));
  }

  // Sets the rates of the groups, of which `group_of` has one number for each parameter.
  void set_rates(const Numbers& learning_rates, const Numbers& decays, const Integers& group_of) {
    std::vector<WeightRates> rates;
    for (const int64_t group : group_of)
      rates.push_back({learning_rates.at(static_cast<size_t>(group)), decays.at(static_cast<size_t>(group))});
    engine_->optimizer().set_rates(rates);
  }
  // 0 micro-batches: their number is not known.
  void begin(int64_t micro_batches) {
    engine_->begin(1, micro_batches > 0 ? micro_batches : Optimizer::kUnknownMicroBatches);
  }
  void take(int64_t index, const at::Tensor& gradient, bool last) {
    engine_->take(static_cast<size_t>(index), gradient, last);
  }
  // The sum that is to be made equal in all processes before use(), or an empty list.
  std::vector<at::Tensor> take_sum(int64_t index, const at::Tensor& gradient, bool last) {
    const at::Tensor sum = engine_->take_sum(static_cast<size_t>(index), gradient, last);
    return sum.defined() ? std::vector<at::Tensor>{sum} : std::vector<at::Tensor>{};
  }
  void use(int64_t index) { engine_->use(static_cast<size_t>(index)); }
  void take_product(int64_t index, const at::Tensor& output_gradient, const at::Tensor& input, bool last) {
    engine_->take_product(static_cast<size_t>(index), output_gradient, input, last);
  }
  void finish(bool discard) { report_ = engine_->finish(discard); }
  void step() { report_ = engine_->step(); }

  // The last report: numbers by name, and lists of text.
  c10::Dict<std::string, double> report() const {
    c10::Dict<std::string, double> numbers;
    numbers.insert("gradient_norm", report_.gradient_norm);
    numbers.insert("norm_is_projected", report_.norm_is_projected);
    numbers.insert("clip_factor", report_.clip_factor);
    numbers.insert("num_skipped", static_cast<double>(report_.num_skipped));
    numbers.insert("seconds", report_.seconds);
    numbers.insert("refresh_seconds", report_.refresh_seconds);
    return numbers;
  }
  Strings notices() const { return report_.notices; }
  c10::Dict<std::string, double> refreshed() const {
    c10::Dict<std::string, double> energies;
    for (const RefreshedBasis& basis : report_.refreshed)
      energies.insert(basis.parameter, basis.captured_energy.value_or(std::nan("")));
    return energies;
  }

  Values state() const {
    Values values;
    for (auto& [name, tensor] : named_state(engine_->optimizer())) values.insert(name, tensor);
    return values;
  }
  void load(const Values& values) {
    std::map<std::string, at::Tensor> by_name;
    for (const auto& entry : values) by_name[entry.key()] = entry.value();
    load_named_state(engine_->optimizer(), device_, [&](const std::string& name) -> const at::Tensor* {
      const auto found = by_name.find(name);
      return found == by_name.end() ? nullptr : &found->second;
    });
  }
  c10::Dict<std::string, int64_t> memory() const {
    c10::Dict<std::string, int64_t> bytes;
    for (int owner = 0; owner < kNumOwners; ++owner)
      bytes.insert(owner_name(static_cast<Owner>(owner)), engine_->ledger().bytes(static_cast<Owner>(owner)));
    return bytes;
  }
  Integers projected() const {
    const auto& flags = engine_->optimizer().grouping().projected;
    return {flags.begin(), flags.end()};
  }
  Strings unmatched() const { return engine_->optimizer().grouping().unmatched; }
  int64_t num_updates() const { return engine_->optimizer().num_updates(); }

 private:
  at::Device device_;
  std::unique_ptr<TorchOptimizer> engine_;
  UpdateReport report_;
};

}  // namespace

TORCH_LIBRARY(galore, library) {
  library.def("preset_table() -> str", [] { return preset_table_json(); });
  library.class_<Engine>("Engine")
      .def(torch::init<const Strings&, const std::vector<at::Tensor>&, const std::vector<Integers>&,
                       const Strings&, const Strings&>())
      .def("set_rates", &Engine::set_rates)
      .def("begin", &Engine::begin)
      .def("take", &Engine::take)
      .def("take_sum", &Engine::take_sum)
      .def("use", &Engine::use)
      .def("take_product", &Engine::take_product)
      .def("finish", &Engine::finish)
      .def("step", &Engine::step)
      .def("report", &Engine::report)
      .def("notices", &Engine::notices)
      .def("refreshed", &Engine::refreshed)
      .def("state", &Engine::state)
      .def("load", &Engine::load)
      .def("memory", &Engine::memory)
      .def("projected", &Engine::projected)
      .def("unmatched", &Engine::unmatched)
      .def("num_updates", &Engine::num_updates);
}

}  // namespace galore
