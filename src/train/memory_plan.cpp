#include "train/memory_plan.h"

#include <map>
#include <numeric>

namespace galore {

int64_t MemoryPlan::total() const { return std::accumulate(bytes.begin(), bytes.end(), int64_t{0}); }

MemoryPlan plan_memory(const ModelConfig& config, const ModelOptions& model_options,
                       const OptimizerOptions& optimizer_options, const Workload& workload) {
  Ledger ledger(at::kMeta);
  const auto model = make_causal_lm(config, model_options, ledger);
  Workspace workspace(ledger);
  Optimizer optimizer(model->parameters(), optimizer_options, workspace);
  const auto meta = at::TensorOptions().dtype(at::kLong).device(at::kMeta);
  const at::Tensor ids = at::empty({workload.train_rows, workload.length}, meta);
  for (int update = 0; update < 2; ++update) {  // the first one refreshes, the second one need not
    optimizer.begin_update(0, workload.micro_batches);
    for (int64_t i = 0; i < workload.micro_batches; ++i) model->train_step(ids, ids, 1);
    optimizer.finish_update();
  }
  if (workload.eval_rows > 0) {
    const at::Tensor eval_ids = at::empty({workload.eval_rows, workload.length}, meta);
    model->evaluate(eval_ids, eval_ids);
  }
  MemoryPlan plan;
  plan.optimizer = optimizer_options.settings.preset + (optimizer.options().layerwise ? " layer-wise" : "");
  for (int owner = 0; owner < kNumOwners; ++owner)
    plan.bytes[static_cast<size_t>(owner)] = ledger.bytes(static_cast<Owner>(owner));
  return plan;
}

std::string format_plans(const std::vector<MemoryPlan>& plans) {
  std::string table = fmt::format("{:<16}", "memory");
  for (const MemoryPlan& plan : plans) table += fmt::format("{:>30}", plan.optimizer);
  for (int owner = 0; owner < kNumOwners; ++owner) {
    table += fmt::format("\n{:<16}", owner_name(static_cast<Owner>(owner)));
    for (const MemoryPlan& plan : plans)
      table +=
          fmt::format("{:>30}", format_bytes(static_cast<double>(plan.bytes[static_cast<size_t>(owner)])));
  }
  table += fmt::format("\n{:<16}", "total");
  for (const MemoryPlan& plan : plans)
    table += fmt::format("{:>30}", format_bytes(static_cast<double>(plan.total())));
  const double saved = static_cast<double>(plans.back().total() - plans.front().total());
  if (plans.size() > 1)
    table += fmt::format(
        "\n{} saves {} ({:.0f} %) against {}; the program and its libraries take about {} more",
        plans.front().optimizer, format_bytes(saved), 100 * saved / static_cast<double>(plans.back().total()),
        plans.back().optimizer, format_bytes(static_cast<double>(kProgramBytes)));
  return table;
}

std::string published_memory(const std::string& model_size) {
  // arXiv 2403.03507, Table 2: bf16, weights and optimizer states only, units as printed there.
  static const std::map<std::string, std::string> figures{{"60m", "full-rank 0.36G, GaLore 0.24G"},
                                                          {"130m", "full-rank 0.76G, GaLore 0.52G"},
                                                          {"350m", "full-rank 2.06G, GaLore 1.22G"},
                                                          {"1b", "full-rank 7.80G, GaLore 4.38G"},
                                                          {"7b", "8-bit Adam 26G, 8-bit GaLore 18G"}};
  const auto found = figures.find(model_size);
  if (found == figures.end()) return "";
  return "the GaLore paper states for " + model_size +
         " (bf16 weights and optimizer states alone): " + found->second;
}

}  // namespace galore
