#include "train/distribution.h"

#include <ATen/ATen.h>

#include <map>

#include "checkpoint/run_checkpoint.h"
#include "core/errors.h"
#include "core/options.h"
#include "train/run_state.h"

namespace galore {
namespace {

// Returns the saved options of the checkpoint that is to be resumed. If there is none, or it cannot be read,
// nothing is returned; whoever loads it says why.
std::map<std::string, std::string> resumed_settings(const EventOptions& options) {
  try {
    const auto checkpoint = checkpoint_to_resume(options.resume_from_checkpoint, options.output_dir);
    if (checkpoint) return read_trainer_state(*checkpoint / kTrainerStateName).settings;
  } catch (const Error&) {
  }
  return {};
}

int64_t setting(const std::map<std::string, std::string>& settings, const char* name) {
  const auto found = settings.find(name);
  const bool is_number = found != settings.end() && !found->second.empty() &&
                         found->second.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? std::stoll(found->second) : 1;
}

void keep_micro_batches(TrainOptions& options, std::vector<std::string>& notes) {
  const int64_t given = options.gradient_accumulation_steps;
  options.gradient_accumulation_steps = options.kept_micro_batches;
  if (given != options.kept_micro_batches && given * options.processes != options.kept_micro_batches)
    notes.push_back(
        fmt::format("an update keeps the checkpoint's {} micro-batches; if reduction_groups is given, the "
                    "options decide",
                    options.kept_micro_batches));
}

}  // namespace

void declare_distribution(OptionTable& table, TrainOptions& o) {
  table.group("Many processes");
  table
      .add("nproc_per_node", &o.nproc_per_node,
           "start this many processes here; 0: one, or those of torchrun, srun or mpirun")
      .range(0, 4096);
  table.add(
      "reduction_groups", &o.reduction_groups,
      "groups of micro-batches whose gradients are summed first, which decide the rounding of sums; auto: "
      "as many as processes, all: each micro-batch, or a number");
  table
      .add("exchange_dtype", &o.exchange_dtype,
           "number format in which gradients are sent; bfloat16 halves the bytes and rounds the sums of "
           "groups")
      .choices({"float32", "bfloat16"});
  table
      .add(
          "exchange_updates", &o.exchange_updates,
          "processes that keep a weight's optimizer state and make its updates; owners: one, which sends the "
          "update to the others, all: each, auto: owners where that sends no more bytes")
      .choices({"auto", "owners", "all"});
  table.add("dist_init", &o.dist_init,
            "where the processes meet: tcp://host:port or file:///path; default: the launcher's place");
  table.add("dist_interface", &o.dist_interface, "network interface, such as eth1; default: chosen");
  table
      .add("heartbeat_timeout", &o.heartbeat_timeout,
           "seconds of silence after which a process counts as lost")
      .range(1, 1e6);
  table
      .add("exchange_timeout", &o.exchange_timeout,
           "seconds that processes wait for one that lives but does not go on")
      .range(1, 1e9)
      .alias("ddp_timeout");
  table.add("init_timeout", &o.init_timeout, "seconds in which all processes must have come").range(1, 1e6);
  table.add("log_all_ranks", &o.log_all_ranks, "write the lines of the other processes to rank-<n>.log");
}

UpdateShare share_of(const SharingOptions& sharing, int64_t micro_batches) {
  UpdateShare share{.micro_batches = micro_batches, .processes = sharing.processes, .index = sharing.process};
  if (sharing.reduction_groups != "auto")
    share.groups = parse_count("reduction_groups", "reduction_groups", sharing.reduction_groups);
  share.narrow = sharing.exchange_dtype == "bfloat16";
  return share;
}

UpdateShare share_of(const DataOptions& options) {
  return share_of(options, options.gradient_accumulation_steps);
}

UpdateShare largest_share_of(const DataOptions& options) {
  UpdateShare largest = share_of(options);
  for (int64_t index = 0; index < options.processes; ++index)
    if (const UpdateShare other = largest.of_process(index); other.count() > largest.count()) largest = other;
  return largest;
}

void keep_sums(TrainOptions& options, OptionTable& table, Collective& collective) {
  if (table.was_set("reduction_groups")) return;
  int64_t kept[] = {0, 0};
  if (collective.index() == 0) {
    const auto settings = resumed_settings(options);
    if (!settings.empty()) {
      kept[0] = setting(settings, "reduction_groups");
      kept[1] = setting(settings, "gradient_accumulation_steps");
    }
  }
  const std::vector<double> all =
      collective.gather({static_cast<double>(kept[0]), static_cast<double>(kept[1])});
  const auto groups = static_cast<int64_t>(all[0]);
  if (groups == 1 && options.processes > 1)
    fail_usage("reduction_groups",
               "expected at most 1 process, because the checkpoint's sums have 1 group, given {}: "
               "reduction_groups={} goes on with sums that are rounded differently",
               options.processes, options.processes);
  if (groups <= 1) return;
  options.reduction_groups = std::to_string(groups);
  options.kept_micro_batches = static_cast<int64_t>(all[1]);
}

void share_micro_batches(TrainOptions& options, std::vector<std::string>& notes) {
  if (options.kept_micro_batches > 0) return keep_micro_batches(options, notes);
  if (options.processes == 1) return;
  const int64_t own = options.gradient_accumulation_steps;
  options.gradient_accumulation_steps = own * options.processes;
  if (own > 1)
    notes.push_back(fmt::format("gradient_accumulation_steps={} of each process is {} of all {}", own,
                                options.gradient_accumulation_steps, options.processes));
}

void resolve_groups(TrainOptions& options, std::vector<std::string>& notes) {
  const int64_t& micro_batches = options.gradient_accumulation_steps;
  // total_batch_size may have changed it.
  if (options.kept_micro_batches > 0) keep_micro_batches(options, notes);
  if (options.reduction_groups == "auto") options.reduction_groups = std::to_string(options.processes);
  if (options.reduction_groups == "all") options.reduction_groups = std::to_string(micro_batches);
  const UpdateShare share = share_of(options);
  if (share.groups > micro_batches)
    fail_usage("reduction_groups",
               "expected at most {}, the micro-batches of an update (gradient_accumulation_steps), given {}",
               micro_batches, share.groups);
  if (share.groups < options.processes)
    fail_usage("reduction_groups", "expected at least {}, the number of processes, given {}",
               options.processes, share.groups);
  if (share.groups > 1 && options.optimizer.gradient == "projected" &&
      options.optimizer.basis_gradient == "first_micro_batch")
    fail_usage(
        "basis_gradient",
        "expected update with several processes or groups: with first_micro_batch all would wait for one");
}

// The sources of a mixture are compared by gradients inside the bases of all weights, so every process needs
// all bases there.
void choose_owners(TrainOptions& options) {
  options.optimizer.exchange_dtype = options.exchange_dtype;
  options.optimizer.exchange_updates = options.mixture_learning == "none" ? options.exchange_updates : "all";
}

TrainOptions as_one_process(TrainOptions options) {
  static_cast<DistributionOptions&>(options) = {};
  if (options.processes > 1 && options.device.starts_with("cuda")) options.device = "cuda";
  options.process = 0;
  options.processes = options.local_processes = 1;
  return options;
}

void in_first(Collective& collective, const std::function<void()>& work,
              const std::function<void()>& meanwhile) {
  if (collective.size() == 1) return work();
  std::string failure;
  std::exception_ptr error;
  if (collective.index() == 0) try {
      work();
    } catch (const std::exception& e) {
      failure = e.what();
      error = std::current_exception();
    }
  if (meanwhile) meanwhile();
  failure = collective.text_of_first(failure);
  if (error) std::rethrow_exception(error);
  if (!failure.empty()) throw LostProcess("[distributed] rank 0: " + failure);
}

void take_from_first(const at::Tensor& tensor, Collective& collective) {
  if (collective.size() == 1) return;
  at::Tensor held = tensor.cpu().contiguous();
  auto* bytes = static_cast<char*>(held.mutable_data_ptr());
  const std::string sent = collective.text_of_first({bytes, held.nbytes()});
  GALORE_ASSERT(sent.size() == held.nbytes());
  std::copy(sent.begin(), sent.end(), bytes);
  if (!held.is_same(tensor)) tensor.copy_(held);
}

void require_equal_weights(const ParameterList& parameters, Collective& collective) {
  if (collective.size() == 1) return;
  std::vector<double> marks;
  for (const Parameter* parameter : parameters) {
    const at::Tensor& stored = parameter->codes ? parameter->codes->codes : parameter->value;
    const at::ScalarType word = stored.element_size() == 4   ? at::kInt
                                : stored.element_size() == 2 ? at::kShort
                                                             : at::kByte;
    const int64_t sum = stored.view(word).sum(at::kLong).item<int64_t>();
    marks.push_back(static_cast<double>(sum & ((int64_t{1} << 52) - 1)));  // exact in fp64
  }
  const std::vector<double> all = collective.gather(marks);
  for (size_t i = 0; i < all.size(); ++i)
    if (all[i] != all[i % marks.size()])
      fail("distributed",
           "rank {} has another {} than rank 0: expected equal processors and files on all machines",
           i / marks.size(), parameters[i % marks.size()]->name);
}

void require_equal_options(const TrainOptions& options, Collective& collective) {
  if (collective.size() == 1) return;
  std::string own;
  for (const auto& [name, value] : configuration_of(as_one_process(options)))
    own += fmt::format("{}={}\n", name, value);
  own += fmt::format("exchange_updates={}\n", options.exchange_updates);
  const std::string first = collective.text_of_first(own);
  const bool is_equal = own == first;
  const std::vector<double> all = collective.gather({is_equal ? 1.0 : 0.0});
  if (is_equal) return;
  const auto at = static_cast<size_t>(
      std::mismatch(own.begin(), own.end(), first.begin(), first.end()).first - own.begin());
  const size_t begin =
      own.rfind('\n', at) == std::string::npos ? 0 : own.rfind('\n', at == 0 ? 0 : at - 1) + 1;
  fail_usage("distributed", "rank {} has other options than rank 0: {}", collective.index(),
             own.substr(begin, own.find('\n', begin) - begin));
}

}  // namespace galore
