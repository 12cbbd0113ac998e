#include "train/memory_plan.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "core/batch.h"
#include "kernels/product_count.h"
#include "optim/settings.h"
#include "tasks/task.h"
#include "train/mixture_setup.h"
#include "train/run_builder.h"

namespace galore {

namespace {

int64_t bytes_of(const MemoryPlan& plan, Owner owner) { return plan.bytes[static_cast<size_t>(owner)]; }

std::string cell(int64_t bytes) { return format_bytes(static_cast<double>(bytes)); }

const MemoryPlan& reference_of(const std::vector<MemoryPlan>& plans) {
  const auto found = std::find_if(plans.begin(), plans.end(), [](const MemoryPlan& plan) {
    return plan.optimizer.rfind("adamw_torch", 0) == 0;
  });
  return found == plans.end() ? plans.back() : *found;
}

std::string saving(const MemoryPlan& plan, const MemoryPlan& reference) {
  const int64_t saved = reference.total() - plan.total();
  return fmt::format("{}{} ({:.0f} %)", saved < 0 ? "-" : "", cell(std::abs(saved)),
                     100 * static_cast<double>(saved) / static_cast<double>(reference.total()));
}

}  // namespace

int64_t MemoryPlan::weights_and_states() const {
  return bytes_of(*this, Owner::weights) + bytes_of(*this, Owner::master_weights) +
         bytes_of(*this, Owner::moments) + bytes_of(*this, Owner::bases);
}

int64_t program_bytes(const MemoryPlan& plan, int64_t resident) {
  const int64_t measured = measured_library_bytes();  // before the next line measures more
  return resident - measured + library_bytes(plan.libraries);
}

int64_t MemoryPlan::total() const { return std::accumulate(bytes.begin(), bytes.end(), int64_t{0}); }

MemoryPlan plan_memory(const ModelConfig& config, const ModelOptions& model_options,
                       const OptimizerOptions& optimizer_options, const Workload& workload) {
  ProductCount products;
  RunObjects run = build_model(config, model_options, at::kMeta);
  add_optimizer(run, optimizer_options);
  run.model->set_dropout({});
  run.target = make_target_network(workload.target, *run.model, model_options, *run.ledger);
  const Task& task = find_task(workload.task, workload.task_name);
  const auto rows_of = [&](int64_t rows) {
    const auto meta = at::TensorOptions().dtype(at::kLong).device(at::kMeta);
    return task.batch_of(at::empty({rows, workload.length}, meta));
  };
  Batch batch = rows_of(workload.train_rows);
  batch.targets.backup = workload.target.backup();
  if (run.target) run.target->prepare(batch);
  // A third micro-batch needs no more memory.
  const int64_t micro_batches = std::min<int64_t>(2, workload.micro_batches);
  // The first update refreshes all bases. Of the next two updates, at least one does not refresh a given
  // weight's basis.
  for (int update = 0; update < 3; ++update) {
    run.optimizer->begin_update(0, micro_batches);
    for (int64_t i = 0; i < micro_batches; ++i) run.model->train_step(batch, 1);
    run.optimizer->finish_update();
  }
  if (workload.learning.learns()) plan_mixture(run, workload, rows_of(workload.measured_rows));
  if (workload.eval_rows > 0) run.model->evaluate(rows_of(workload.eval_rows));
  MemoryPlan plan;
  plan.optimizer =
      optimizer_options.settings->preset + (run.optimizer->options().layerwise ? " layer-wise" : "");
  for (int owner = 0; owner < kNumOwners; ++owner)
    plan.bytes[static_cast<size_t>(owner)] = run.ledger->bytes(static_cast<Owner>(owner));
  plan.libraries = {model_options.compute_dtype, run.ledger->bytes(Owner::bases) > 0, products.distinct()};
  return plan;
}

std::string format_plans(const std::vector<MemoryPlan>& plans) {
  const MemoryPlan& reference = reference_of(plans);
  std::string table;
  const auto row = [&](const std::string& title, const auto& text_of) {
    table += fmt::format("{}{:<16}", table.empty() ? "" : "\n", title);
    for (const MemoryPlan& plan : plans) table += fmt::format("{:>32}", text_of(plan));
  };
  row("memory", [](const MemoryPlan& plan) { return plan.optimizer; });
  for (int i = 0; i < kNumOwners; ++i) {
    const auto owner = static_cast<Owner>(i);
    const auto is_empty = [owner](const MemoryPlan& plan) { return bytes_of(plan, owner) == 0; };
    if (std::all_of(plans.begin(), plans.end(), is_empty)) continue;
    row(owner_name(owner), [owner](const MemoryPlan& plan) { return cell(bytes_of(plan, owner)); });
  }
  row("total", [](const MemoryPlan& plan) { return cell(plan.total()); });
  row("saved", [&](const MemoryPlan& plan) { return &plan == &reference ? "" : saving(plan, reference); });
  const int64_t program = program_bytes(plans.front());
  return table + fmt::format(
                     "\nsaved: against {}; the program and its libraries take about {} more\n"
                     "libraries: {} of them, once they compute, measured on this machine",
                     reference.optimizer, cell(program), cell(library_bytes(plans.front().libraries)));
}

std::string published_memory(const std::string& model_size, const std::vector<MemoryPlan>& plans) {
  // The figures are from Table 2 of arXiv 2403.03507: bf16, weights and optimizer states only, with the units
  // printed there.
  static const std::map<std::string, std::string> figures{{"60m", "full-rank 0.36G, GaLore 0.24G"},
                                                          {"130m", "full-rank 0.76G, GaLore 0.52G"},
                                                          {"350m", "full-rank 2.06G, GaLore 1.22G"},
                                                          {"1b", "full-rank 7.80G, GaLore 4.38G"},
                                                          {"7b", "8-bit Adam 26G, 8-bit GaLore 18G"}};
  const auto found = figures.find(model_size);
  if (found == figures.end()) return "";
  std::string ours;
  for (const MemoryPlan& plan : plans)
    ours += fmt::format("{}{} {:.2f}", ours.empty() ? "" : ", ", plan.optimizer,
                        static_cast<double>(plan.weights_and_states()) / 1e9);
  return fmt::format(
      "weights and optimizer states alone, in 10^9 bytes: {}; the GaLore paper states, all in bf16: {}", ours,
      found->second);
}

}  // namespace galore
