#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/config_file.h"
#include "core/errors.h"
#include "kernels/device.h"
#include "train/distribution.h"
#include "train/memory_fit.h"
#include "train/run_builder.h"

namespace galore {
namespace {

// Returns the settings that the other optimizers of a comparison take from optim_args, if they have these
// options.
std::vector<std::pair<std::string, std::string>> shared_settings(const TrainOptions& options,
                                                                 OptionTable& table) {
  auto settings = given_adam_settings(table);
  const auto own = parse_pairs("optim_args", options.optim_args);
  settings.insert(settings.end(), own.begin(), own.end());
  return settings;
}

// Returns the options with the optimizer `optim`, or unchanged when `optim` is "".
TrainOptions with_optimizer(TrainOptions options, const std::string& optim, OptionTable& table) {
  if (optim.empty()) return options;
  options.optimizer.settings = resolve_optimizer(optim, "", shared_settings(options, table));
  options.optim = optim;
  return options;
}

// Returns the memory limit. A plan may be for another machine; then only memory_limit is known.
std::optional<MemoryAtHand> memory_of(const TrainOptions& options) {
  try {
    return memory_at_hand(options, device_of(options.device), options.local_processes);
  } catch (const UsageError&) {
    throw;
  } catch (const Error&) {
    const int64_t limit = parse_bytes("memory", "memory_limit", options.memory_limit);
    if (limit == 0) return std::nullopt;
    return MemoryAtHand{limit, 0, "memory_limit"};
  }
}

nlohmann::ordered_json fit_json(const MemoryFit& fit, bool is_known) {
  const MemoryPlan& plan = fit.plan;
  nlohmann::ordered_json json{{"optim", plan.optimizer}};
  for (int owner = 0; owner < kNumOwners; ++owner)
    json[canonical_name(owner_name(static_cast<Owner>(owner)))] = plan.bytes[static_cast<size_t>(owner)];
  json["total"] = plan.total();
  json["program"] = fit.program;
  json["libraries"] = fit.libraries;
  if (plan.processes > 1) {
    json["exchange_bytes"] = plan.most_sent();
    json["exchange_bytes_mean"] = plan.most_sent_mean();
    json["states"] = plan.states;
  }
  if (!is_known) return json;
  json["at_hand"] = fit.at_hand.bytes;
  json["limited_by"] = fit.at_hand.source;
  json["fits"] = fit.fits();
  return json;
}

void print_plans(const std::vector<MemoryFit>& fits, const TrainOptions& options, bool is_known) {
  std::vector<MemoryPlan> plans;
  for (const MemoryFit& fit : fits) plans.push_back(fit.plan);
  fmt::print("{}\n", format_plans(plans));
  if (const auto published = published_memory(options.model_size, plans); !published.empty())
    fmt::print("{}\n", published);
  if (!is_known)
    fmt::print("whether it fits is not known: {} is not here, and memory_limit says nothing\n",
               options.device);
  for (const MemoryFit& fit : fits)
    if (is_known) fmt::print("{} {}\n", fit.plan.optimizer, describe(fit));
  for (const MemoryFit& fit : fits)
    if (options.processes > 1)
      fmt::print("{}: {}\n{}: {}\n", fit.plan.optimizer, describe_traffic(fit.plan), fit.plan.optimizer,
                 describe_states(fit.plan));
}

}  // namespace

int memory_command(const Arguments& arguments) {
  TrainOptions options;
  OptionTable table;
  std::vector<std::string> compare;
  bool json = false;
  declare_options(table, options);
  table.group("Output");
  table.add("compare", &compare,
            "compare these optimizers instead of optim and AdamW; each takes the optim_args that it has");
  table.add("json", &json, "print one JSON object for each plan");
  if (!parse_with_config("memory", table, arguments)) return 0;
  options.processes = options.local_processes = std::max<int64_t>(1, options.nproc_per_node);
  resolve(options, table);
  const ModelConfig config = model_config_of(options);
  const auto known = memory_of(options);
  const MemoryAtHand at_hand = known.value_or(MemoryAtHand{});
  if (known && options.auto_find_batch_size)
    find_batch_size(options, config, at_hand, {},
                    [](const std::string& line) { fmt::print(stderr, "{}\n", line); });
  std::vector<MemoryFit> fits;
  for (const std::string& optim : compare.empty() ? std::vector<std::string>{"", "adamw_torch"} : compare)
    fits.push_back(plan_fit(with_optimizer(options, optim, table), config, at_hand));
  if (!json) print_plans(fits, options, known.has_value());
  for (const MemoryFit& fit : fits)
    if (json) fmt::print("{}\n", fit_json(fit, known.has_value()).dump());
  if (!json && compare.empty() && known && !fits[0].fits())
    fmt::print("{}\n", remedies(options, config, fits[0]));
  return 0;
}

}  // namespace galore
