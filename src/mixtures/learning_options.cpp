#include "mixtures/learning_options.h"

#include <algorithm>

#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

constexpr const char* kArgs = "mixture_args";
constexpr double kShareOfTime = 0.05;

void declare_common(OptionTable& table, LearningOptions& o) {
  table.add("update_steps", &o.update_steps, "updates between two changes of the weights").range(1, 1e9);
  table.add("rows", &o.rows, "rows of a source in one measurement; 0: as many as cost 5 % of the updates")
      .range(0, 1e9);
  table.add("freeze", &o.freeze, "share of the training, at its end, with fixed weights").range(0, 1);
  table.add("final_weights", &o.final_weights, "weights of that part").choices({"last", "average"});
}

void declare_gradients(OptionTable& table, LearningOptions& o) {
  table.add("target", &o.target, "mixture whose loss is to fall: a word of the method, uniform, or a:2+b:1");
  table.add("inner", &o.inner, "inner products of whole gradients or of those inside the subspaces")
      .choices({"exact", "projected", "both"});
}

void declare_gar(OptionTable& table, LearningOptions& o) {
  declare_gradients(table, o);
  table.add("form", &o.form, "products of the layers, or the difference of losses along the direction")
      .choices({"products", "directional"});
  table.add("learning_rate", &o.learning_rate, "step of the logarithms of the weights").range(0, 1e6);
  table.add("exploration", &o.exploration, "share of the weights that is spread evenly").range(0, 1);
  table.add("ema", &o.ema, "decay of the rewards' mean square").range_below(0, 1);
  table.add("step", &o.step, "length of the step of the directional form").range(1e-8, 1e3);
}

void declare_doge(OptionTable& table, LearningOptions& o) {
  declare_gradients(table, o);
  table.add("mu", &o.mu, "the larger, the slower the weights").range(1e-9, 1e9);
  table.add("epsilon", &o.epsilon, "share of the weights that is spread evenly").range(0, 1);
  table.add("max_norm", &o.max_norm, "norm to which a source's gradient is clipped").range(1e-9, 1e9);
}

void declare_aioli(OptionTable& table, LearningOptions& o) {
  table.add("eta", &o.eta, "step of the logarithms of the weights").range(0, 1e9);
  table.add("ema", &o.ema, "share of the earlier rounds in the estimate").range_below(0, 1);
  table.add("one_hot_factor", &o.one_hot_factor, "weight of the source whose turn it is").range(0, 1);
  table.add("lp_steps", &o.lp_steps, "updates of a source's turn").range(1, 1e9);
  table.add("lp_rounds", &o.lp_rounds, "turns of a source in a round").range(1, 1e9);
}

// Sets the defaults of the paper's code, or of this program where a method has no code.
void declare_method(OptionTable& table, LearningOptions& o) {
  if (o.method == "gar") {
    o.update_steps = 25;
    declare_gar(table, o);
  } else if (o.method == "doge") {
    o.update_steps = 10, o.target = "sources", o.final_weights = "average";
    declare_doge(table, o);
  } else if (o.method == "aioli") {
    o.update_steps = 500, o.ema = 0.1;
    declare_aioli(table, o);
  }
}

void check_target(const LearningOptions& o) {
  const bool is_own_word = o.target == (o.method == "gar" ? "next" : "sources");
  const bool is_other_word = !is_own_word && (o.target == "next" || o.target == "sources");
  if (is_other_word)
    fail_usage(kArgs, "target: expected {}, uniform or names of sources, given {}",
               o.method == "gar" ? "next" : "sources", o.target);
  if (o.method == "gar" && o.form == "directional" && o.inner != "exact")
    fail_usage(kArgs, "inner: expected exact with form=directional, given {}", o.inner);
}

}  // namespace

std::vector<std::string> learning_methods() { return {"none", "gar", "doge", "aioli"}; }

LearningOptions parse_learning(const std::string& method, const std::string& args) {
  LearningOptions options;
  options.method = method;
  if (!options.learns()) {
    if (!args.empty()) fail_usage(kArgs, "expected mixture_learning, given none");
    return options;
  }
  OptionTable table;
  declare_method(table, options);
  declare_common(table, options);
  table.set_list(kArgs, args);
  if (method != "aioli") check_target(options);
  return options;
}

std::vector<double> target_weights(const std::string& target, const std::vector<std::string>& names) {
  if (target == "next" || target == "sources") return {};
  std::vector<double> weights(names.size(), target == "uniform" ? 1 : 0);
  for (const std::string& part : target == "uniform" ? std::vector<std::string>() : split_list(target, '+')) {
    const size_t colon = part.find(':');
    const auto found = std::find(names.begin(), names.end(), part.substr(0, colon));
    if (found == names.end())
      fail_usage(kArgs, "target: expected names of sources, given '{}'; the nearest one is '{}'", part,
                 nearest_name(part.substr(0, colon), names));
    const double weight =
        colon == std::string::npos ? 1 : parse_number(kArgs, "target", part.substr(colon + 1));
    if (!(weight > 0)) fail_usage(kArgs, "target: expected weights above 0, given {}", weight);
    weights[static_cast<size_t>(found - names.begin())] += weight;
  }
  double sum = 0;
  for (const double weight : weights) sum += weight;
  if (!(sum > 0)) fail_usage(kArgs, "target: expected names of sources, given none");
  for (double& weight : weights) weight /= sum;
  return weights;
}

// A training step of a row counts 1 and a forward pass 1/3. The products of a layer cost half of its backward
// pass again, at most.
int64_t measured_rows(const LearningOptions& o, int64_t num_sources, int64_t update_rows, int64_t most) {
  if (o.rows > 0) return std::min(o.rows, most);
  const auto count = static_cast<double>(num_sources);
  double cost = 1 + count * 4 / 3;  // the target, and each source with the products
  if (o.method == "gar" && o.form == "directional") cost = 1 + count * 2 / 3;
  if (o.method == "doge") cost = count + (o.target == "sources" ? 0 : 1);
  if (o.method == "aioli") cost = (count * static_cast<double>(o.lp_rounds) + 1) * count / 3;
  const double rows = kShareOfTime * static_cast<double>(o.update_steps * update_rows) / cost;
  return std::clamp<int64_t>(static_cast<int64_t>(rows), 1, most);
}

}  // namespace galore
