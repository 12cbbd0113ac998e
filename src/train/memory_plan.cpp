#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "core/batch.h"
#include "core/collective.h"
#include "distributed/exchange.h"
#include "kernels/product_count.h"
#include "optim/settings.h"
#include "tasks/task.h"
#include "train/memory_plan.h"
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

// A process in a plan: it sends and receives nothing.
class PlannedProcess : public Collective {
 public:
  explicit PlannedProcess(const UpdateShare& share) : share_(share) {}
  int index() const override { return static_cast<int>(share_.index); }
  int size() const override { return static_cast<int>(share_.processes); }
  void begin_update(const UpdateShare&) override {}
  void begin(GradientSum& sum) override {
    const int64_t numbers = sum.total.numel();
    numbers_ += numbers;
    int64_t& least = least_.try_emplace(&sum, numbers).first->second;
    least = std::min(least, numbers);
  }
  void finish(GradientSum&) override {}
  void begin(OwnerAnswer&) override {}
  void finish(OwnerAnswer&) override {}
  std::vector<double> gather(const std::vector<double>& own) override { return own; }
  std::string text_of(int, const std::string& text) override { return text; }
  void bring_to_first(int, const at::Tensor&) override {}
  // Returns the numbers of all sums since the last call.
  int64_t take_numbers() { return std::exchange(numbers_, 0); }
  // Returns the numbers of all weights in updates that do not refresh their bases.
  int64_t without_refreshes() const {
    int64_t all = 0;
    for (const auto& [sum, numbers] : least_) all += numbers;
    return all;
  }

 private:
  UpdateShare share_;
  int64_t numbers_ = 0;
  std::map<const GradientSum*, int64_t> least_;
};

int64_t num_nodes(const UpdateShare& share) {
  return std::ssize(largest_nodes(share.leaves(), {share.first_group(), share.end_group()}));
}

int64_t trained_numbers(TrainableModel& model) {
  int64_t count = 0;
  for (const Parameter* parameter : model.parameters())
    count += parameter->trainable ? parameter->numel() : 0;
  return count;
}

// The numbers that a process sends in an update that refreshes all bases, and in one without refreshes.
struct SentNumbers {
  int64_t first = 0, least = 0;
};

// Makes three updates. The first one refreshes all bases. Of the next two updates, at least one does not
// refresh a given weight's basis.
SentNumbers plan_updates(RunObjects& run, PlannedProcess& process, const UpdateShare& share,
                         const Batch& batch) {
  SentNumbers sent;
  for (int update = 0; update < 3; ++update) {
    run.optimizer->begin_update(0, share);
    for (int64_t i = 0; i < share.count(); ++i) run.model->train_step(batch, 1);
    run.optimizer->finish_update();
    const int64_t numbers = process.take_numbers();
    if (update == 0) sent = {numbers, numbers};
    sent.least = std::min(sent.least, numbers);
  }
  sent.least = std::min(sent.least, process.without_refreshes());
  return sent;
}

void count_traffic(MemoryPlan& plan, RunObjects& run, const SentNumbers& sent, int64_t gap) {
  plan.exchanged = sent.least;
  plan.exchanged_mean = sent.least + (sent.first - sent.least) / std::max<int64_t>(1, gap);
  plan.trained = trained_numbers(*run.model);
}

// Returns the bytes of the pieces of an exchange: those that wait, one that is filled, and the received
// numbers. With several subtrees a process has as many sums of each number.
int64_t exchange_buffers(const UpdateShare& share, int64_t numbers) {
  if (share.processes == 1) return 0;
  const int64_t pieces = Exchange::kWindow + Exchange::kOpen + Exchange::kReceiving;
  return std::min(pieces * Exchange::kPieceElements, 2 * numbers) * num_nodes(share) * (share.narrow ? 2 : 4);
}

// Returns a share that needs as much memory: a third micro-batch of a group needs no more than the second.
UpdateShare planned_share(const Workload& workload) {
  UpdateShare share = workload.share;
  if (share.groups == 1) return {.micro_batches = std::min<int64_t>(2, workload.micro_batches)};
  share.micro_batches =
      share.groups * std::min<int64_t>(2, (share.micro_batches + share.groups - 1) / share.groups);
  return share;
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
  const UpdateShare share = planned_share(workload);
  PlannedProcess process(share);
  add_optimizer(run, optimizer_options, /*learning_rate=*/1, process);
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
  const SentNumbers sent = plan_updates(run, process, share, batch);
  if (workload.learning.learns()) plan_mixture(run, workload, rows_of(workload.measured_rows));
  if (workload.eval_rows > 0) run.model->evaluate(rows_of(workload.eval_rows));
  MemoryPlan plan;
  plan.processes = share.processes;
  count_traffic(plan, run, sent, optimizer_options.settings->subspace.update_proj_gap);
  run.ledger->add(Owner::workspace, exchange_buffers(share, sent.first));
  plan.optimizer =
      optimizer_options.settings->preset + (run.optimizer->options().layerwise ? " layer-wise" : "");
  for (int owner = 0; owner < kNumOwners; ++owner)
    plan.bytes[static_cast<size_t>(owner)] = run.ledger->bytes(static_cast<Owner>(owner));
  plan.libraries = {model_options.compute_dtype, run.ledger->bytes(Owner::bases) > 0, products.distinct()};
  return plan;
}

int64_t sent_bytes(int64_t numbers, const UpdateShare& share) {
  const double others = static_cast<double>(share.processes - 1) / static_cast<double>(share.processes);
  return static_cast<int64_t>(others *
                              static_cast<double>((num_nodes(share) + 1) * numbers * (share.narrow ? 2 : 4)));
}

int64_t ddp_bytes(const MemoryPlan& plan, int64_t processes) {
  return sent_bytes(plan.trained, {.micro_batches = processes, .groups = processes, .processes = processes});
}

std::string describe_traffic(const MemoryPlan& plan, const UpdateShare& share) {
  const int64_t usual = sent_bytes(plan.exchanged, share), mean = sent_bytes(plan.exchanged_mean, share);
  const int64_t others = ddp_bytes(plan, share.processes);
  return fmt::format(
      "{} processes: each sends {} in an update, {} on average with refreshes, {:.0f} % of PyTorch's DDP in "
      "fp32 "
      "({})",
      share.processes, cell(usual), cell(mean), 100 * static_cast<double>(mean) / static_cast<double>(others),
      cell(others));
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
