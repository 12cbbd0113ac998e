#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/config_file.h"
#include "train/inputs.h"
#include "train/memory_plan.h"

namespace galore {
namespace {

// The settings that another optimizer of the comparison takes over from optim_args, where it has such an
// option.
std::vector<std::pair<std::string, std::string>> shared_settings(const TrainOptions& options,
                                                                 OptionTable& table) {
  auto settings = given_adam_settings(table);
  for (const std::string& item : split_list(options.optim_args))
    settings.emplace_back(item.substr(0, item.find('=')), item.substr(item.find('=') + 1));
  return settings;
}

MemoryPlan plan_for(const TrainOptions& options, const std::string& optim, OptionTable& table) {
  OptimizerOptions optimizer = options.optimizer;
  if (!optim.empty()) optimizer.settings = resolve_optimizer(optim, "", shared_settings(options, table));
  optimizer.layerwise = optimizer.layerwise || optimizer.settings.layerwise;
  const bool evaluates = !options.eval_file.empty() || options.val_size > 0;
  return plan_memory(model_config_of(options), model_options(options), optimizer,
                     {options.per_device_train_batch_size, evaluates ? options.per_device_eval_batch_size : 0,
                      options.max_length, options.gradient_accumulation_steps});
}

nlohmann::ordered_json to_json(const MemoryPlan& plan) {
  nlohmann::ordered_json json{{"optim", plan.optimizer}};
  for (int owner = 0; owner < kNumOwners; ++owner)
    json[canonical_name(owner_name(static_cast<Owner>(owner)))] = plan.bytes[static_cast<size_t>(owner)];
  json["total"] = plan.total();
  json["program"] = program_bytes(plan);
  return json;
}

}  // namespace

int memory_command(const std::vector<std::string>& arguments) {
  TrainOptions options;
  OptionTable table;
  std::vector<std::string> compare;
  bool json = false;
  declare_options(table, options);
  table.add("compare", &compare,
            "several optimizers, with the optim_args that they have, instead of optim beside AdamW");
  table.add("json", &json, "print one JSON object a plan");
  if (!parse_with_config("memory", table, arguments)) return 0;
  resolve(options, table);
  std::vector<MemoryPlan> plans;
  if (compare.empty()) plans = {plan_for(options, "", table), plan_for(options, "adamw_torch", table)};
  for (const std::string& optim : compare) plans.push_back(plan_for(options, optim, table));
  if (json) {
    for (const MemoryPlan& plan : plans) fmt::print("{}\n", to_json(plan).dump());
    return 0;
  }
  fmt::print("{}\n", format_plans(plans));
  if (const auto published = published_memory(options.model_size, plans); !published.empty())
    fmt::print("{}\n", published);
  return 0;
}

}  // namespace galore
