#include "train/memory_plan.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "core/batch.h"
#include "core/silent_collective.h"
#include "distributed/exchange.h"
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

int64_t num_nodes(const UpdateShare& share) {
  return std::ssize(largest_nodes(share.leaves(), {share.first_group(), share.end_group()}));
}

// The bytes that each process sends.
using Sent = std::vector<double>;

double sum_of(const Sent& sent) { return std::accumulate(sent.begin(), sent.end(), 0.0); }

// A process in a plan: it sends and receives nothing.
class PlannedProcess : public SilentCollective {
 public:
  explicit PlannedProcess(const UpdateShare& share)
      : SilentCollective(static_cast<int>(share.index), static_cast<int>(share.processes)),
        share_(share),
        sent_(static_cast<size_t>(share.processes), 0) {}
  void begin(GradientSum& sum) override {
    const double others = static_cast<double>(size() - 1), bytes = share_.narrow ? 2 : 4;
    const double elements = static_cast<double>(sum.total.numel() + 1);  // with the report
    numbers_ += sum.total.numel();
    Sent sent;
    for (int process = 0; process < size(); ++process) {
      const auto nodes = static_cast<double>(num_nodes(share_.of_process(process)));
      const double times = sum.owner == kEveryProcess ? others / size() * (nodes + 1)
                           : sum.owner == process     ? 0
                                                      : nodes;
      sent.push_back(times * elements * bytes);
    }
    count(&sum, sent);
  }
  void begin(OwnerAnswer& answer) override {
    Sent sent(static_cast<size_t>(size()), 0);
    for (const at::Tensor& part : answer.parts)
      sent[static_cast<size_t>(answer.owner)] += static_cast<double>((size() - 1) * part.numel());
    count(&answer, sent);
  }
  std::vector<double> gather(const std::vector<double>& own) override {
    std::vector<double> all;
    for (int process = 0; process < size(); ++process) all.insert(all.end(), own.begin(), own.end());
    return all;
  }
  // Return what was sent since the last call, and the numbers of all sums so far.
  Sent take_sent() { return std::exchange(sent_, Sent(sent_.size(), 0)); }
  int64_t numbers() const { return numbers_; }
  // Returns what all weights send in updates that do not refresh their bases.
  Sent without_refreshes() const {
    Sent all(sent_.size(), 0);
    for (const auto& [transfer, sent] : least_)
      for (size_t i = 0; i < all.size(); ++i) all[i] += sent[i];
    return all;
  }

 private:
  void count(const void* transfer, const Sent& sent) {
    for (size_t i = 0; i < sent_.size(); ++i) sent_[i] += sent[i];
    Sent& least = least_.try_emplace(transfer, sent).first->second;
    if (sum_of(sent) < sum_of(least)) least = sent;
  }

  UpdateShare share_;
  Sent sent_;
  int64_t numbers_ = 0;
  std::map<const void*, Sent> least_;
};

int64_t trained_numbers(TrainableModel& model) {
  int64_t count = 0;
  for (const Parameter* parameter : model.parameters())
    count += parameter->trainable ? parameter->numel() : 0;
  return count;
}

struct PlannedTraffic {
  Sent first, least;    // in an update that refreshes all bases, and in one without refreshes
  int64_t numbers = 0;  // of the sums of the first update
};

// Makes three updates. The first one refreshes all bases. Of the next two updates, at least one does not
// refresh a given weight's basis.
PlannedTraffic plan_updates(RunObjects& run, PlannedProcess& process, const UpdateShare& share,
                            const Batch& batch) {
  PlannedTraffic traffic;
  for (int update = 0; update < 3; ++update) {
    run.optimizer->begin_update(0, share);
    for (int64_t i = 0; i < share.count(); ++i) run.model->train_step(batch, 1);
    run.optimizer->finish_update();
    const Sent sent = process.take_sent();
    if (update == 0) traffic = {sent, sent, process.numbers()};
    if (sum_of(sent) < sum_of(traffic.least)) traffic.least = sent;
  }
  const Sent without = process.without_refreshes();
  if (sum_of(without) < sum_of(traffic.least)) traffic.least = without;
  return traffic;
}

void count_traffic(MemoryPlan& plan, RunObjects& run, const PlannedTraffic& traffic, int64_t gap) {
  plan.sent.clear();
  plan.sent_mean.clear();
  for (size_t i = 0; i < traffic.first.size(); ++i) {
    const double mean = traffic.least[i] + (traffic.first[i] - traffic.least[i]) /
                                               static_cast<double>(std::max<int64_t>(1, gap));
    plan.sent.push_back(std::llround(traffic.least[i]));
    plan.sent_mean.push_back(std::llround(mean));
  }
  plan.trained = trained_numbers(*run.model);
}

void count_states(MemoryPlan& plan, const RunObjects& run, const UpdateShare& share) {
  plan.states = run.optimizer->owned_bytes(share.processes);
  const int64_t here = run.ledger->bytes(Owner::moments) + run.ledger->bytes(Owner::bases) +
                       run.ledger->bytes(Owner::master_weights);
  const int64_t everywhere = here - plan.states[static_cast<size_t>(share.index)];
  plan.all_states = std::accumulate(plan.states.begin(), plan.states.end(), everywhere);
  for (int64_t& bytes : plan.states) bytes += everywhere;
}

// Returns the bytes of the pieces of an exchange, which are open or wait, and of the received numbers. With
// several subtrees a process has as many sums of each number.
int64_t exchange_buffers(const UpdateShare& share, int64_t numbers) {
  if (share.processes == 1) return 0;
  const int64_t pieces = Exchange::kWindow + Exchange::kReceiving;
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

// Plans the memory of one process.
MemoryPlan plan_process(const ModelConfig& config, const ModelOptions& model_options,
                        const OptimizerOptions& optimizer_options, const Workload& workload,
                        const UpdateShare& share) {
  ProductCount products;
  RunObjects run = build_model(config, model_options, at::kMeta);
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
  const PlannedTraffic traffic = plan_updates(run, process, share, batch);
  if (workload.learning.learns()) plan_mixture(run, workload, rows_of(workload.measured_rows));
  if (workload.eval_rows > 0) run.model->evaluate(rows_of(workload.eval_rows));
  MemoryPlan plan;
  plan.processes = share.processes;
  count_states(plan, run, share);
  count_traffic(plan, run, traffic, optimizer_options.settings->subspace.update_proj_gap);
  run.ledger->add(Owner::workspace, exchange_buffers(share, traffic.numbers));
  plan.optimizer =
      optimizer_options.settings->preset + (run.optimizer->options().layerwise ? " layer-wise" : "");
  for (int owner = 0; owner < kNumOwners; ++owner)
    plan.bytes[static_cast<size_t>(owner)] = run.ledger->bytes(static_cast<Owner>(owner));
  plan.libraries = {model_options.compute_dtype, run.ledger->bytes(Owner::bases) > 0, products.distinct()};
  return plan;
}

// Returns the process that keeps most of the optimizer's state.
int64_t heaviest_process(const ModelConfig& config, const ModelOptions& model_options,
                         const OptimizerOptions& optimizer_options, const UpdateShare& share) {
  RunObjects run = build_model(config, model_options, at::kMeta);
  PlannedProcess process(share);
  add_optimizer(run, optimizer_options, /*learning_rate=*/1, process);
  const std::vector<int64_t> bytes = run.optimizer->owned_bytes(share.processes);
  return std::max_element(bytes.begin(), bytes.end()) - bytes.begin();
}

int64_t MemoryPlan::most_sent() const { return *std::max_element(sent.begin(), sent.end()); }

int64_t MemoryPlan::most_sent_mean() const { return *std::max_element(sent_mean.begin(), sent_mean.end()); }

MemoryPlan plan_memory(const ModelConfig& config, const ModelOptions& model_options,
                       const OptimizerOptions& optimizer_options, const Workload& workload) {
  const UpdateShare share = planned_share(workload);
  const auto plan_of = [&](const UpdateShare& own) {
    return plan_process(config, model_options, optimizer_options, workload, own);
  };
  if (share.processes == 1) return plan_of(share);
  const UpdateShare heaviest =
      share.of_process(heaviest_process(config, model_options, optimizer_options, share));
  MemoryPlan plan = plan_of(heaviest);
  if (heaviest.count() == share.count()) return plan;
  MemoryPlan largest = plan_of(share);
  return largest.total() > plan.total() ? largest : plan;
}

int64_t sent_bytes(int64_t numbers, const UpdateShare& share) {
  const double others = static_cast<double>(share.processes - 1) / static_cast<double>(share.processes);
  return static_cast<int64_t>(others *
                              static_cast<double>((num_nodes(share) + 1) * numbers * (share.narrow ? 2 : 4)));
}

int64_t ddp_bytes(const MemoryPlan& plan, int64_t processes) {
  return sent_bytes(plan.trained, {.micro_batches = processes, .groups = processes, .processes = processes});
}

std::string describe_traffic(const MemoryPlan& plan) {
  const int64_t mean = plan.most_sent_mean();
  const int64_t others = ddp_bytes(plan, plan.processes);
  return fmt::format(
      "{} processes: each sends up to {} in an update, {} on average with refreshes, {:.0f} % of PyTorch's "
      "DDP in fp32 ({})",
      plan.processes, cell(plan.most_sent()), cell(mean),
      100 * static_cast<double>(mean) / static_cast<double>(others), cell(others));
}

std::string describe_states(const MemoryPlan& plan) {
  const auto [least, most] = std::minmax_element(plan.states.begin(), plan.states.end());
  return fmt::format("{} processes: each keeps {} to {} of the optimizer's {} of state", plan.processes,
                     cell(*least), cell(*most), cell(plan.all_states));
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
