// Names of other programs: LLaMA-Factory's, axolotl's and the research scripts', as far as they do not map
// one to one onto ours (those are aliases).
#include <algorithm>

#include "core/errors.h"
#include "train/train_options.h"

namespace galore {
namespace {

using Notes = std::vector<std::string>;

void note(Notes& notes, const char* from, const std::string& to) {
  notes.push_back(fmt::format("{} is taken as {}", from, to));
}

// Whether the foreign name `name` decides what `own` may have said, too.
bool decides(OptionTable& table, const char* name, const char* own, bool agree = false) {
  const Option *foreign = table.find(name), *ours = table.find(own);
  if (!foreign->was_set()) return false;
  if (!ours->was_set()) return true;
  const bool foreign_first = foreign->given_in() == kCommandLine;
  if (agree || foreign_first != (ours->given_in() == kCommandLine)) return foreign_first;
  fail_usage(name, "expected either this or {}, given both", own);
}

void resolve_sizes(TrainOptions& o, OptionTable& table, Notes& notes) {
  const ForeignOptions& f = o.foreign;
  const int64_t accumulation = f.total_batch_size / o.per_device_train_batch_size;
  if (decides(table, "total_batch_size", "gradient_accumulation_steps",
              f.total_batch_size == o.gradient_accumulation_steps * o.per_device_train_batch_size)) {
    if (f.total_batch_size % o.per_device_train_batch_size != 0)
      fail_usage("total_batch_size", "expected a multiple of per_device_train_batch_size={}, given {}",
                 o.per_device_train_batch_size, f.total_batch_size);
    o.gradient_accumulation_steps = accumulation;
    note(notes, "total_batch_size", fmt::format("gradient_accumulation_steps={}", accumulation));
  }
  if (decides(table, "max_train_tokens", "max_steps")) {
    const int64_t tokens = o.max_length * o.per_device_train_batch_size * o.gradient_accumulation_steps;
    o.max_steps = std::max<int64_t>(1, f.max_train_tokens / tokens);
    note(notes, "max_train_tokens", fmt::format("max_steps={}", o.max_steps));
  }
}

void resolve_schedule(TrainOptions& o, OptionTable& table, Notes& notes) {
  const ForeignOptions& f = o.foreign;
  if (decides(table, "warmup_ratio", "warmup_steps")) {
    if (f.warmup_ratio >= 1) fail_usage("warmup_ratio", "expected below 1, given {}", f.warmup_ratio);
    o.warmup_steps = f.warmup_ratio;
    note(notes, "warmup_ratio", "warmup_steps below 1");
  }
  if (!decides(table, "min_lr_ratio", "lr_scheduler_kwargs")) return;
  if (o.lr_scheduler_type != "cosine" && o.lr_scheduler_type != "cosine_with_min_lr")
    fail_usage("min_lr_ratio", "expected lr_scheduler_type=cosine or cosine_with_min_lr, given '{}'",
               o.lr_scheduler_type);
  o.lr_scheduler_type = "cosine_with_min_lr";
  o.lr_scheduler_kwargs = fmt::format("min_lr_rate={}", f.min_lr_ratio);
  note(notes, "min_lr_ratio", "lr_scheduler_type=cosine_with_min_lr, " + o.lr_scheduler_kwargs);
}

void resolve_galore(TrainOptions& o, Notes& notes) {
  const ForeignOptions& f = o.foreign;
  if (f.use_galore) {
    const std::string name = find_preset(o.optim).name;
    const std::string base = name == "adamw_torch" ? "adamw" : name;
    const bool layerwise = canonical_name(o.optim).ends_with("_layerwise");
    if (base.find("galore_") == std::string::npos)
      o.optim = "galore_" + base + (layerwise ? "_layerwise" : "");
    note(notes, "use_galore", "optim=" + o.optim);
  }
  if (f.galore_layerwise) {
    o.optimizer.layerwise = true;
    note(notes, "galore_layerwise", "optim_layerwise");
  }
  if (f.galore_target.empty()) return;
  const bool all = f.galore_target.size() == 1 && f.galore_target[0] == "all";
  o.optimizer.target_modules = all ? std::vector<std::string>{"all-linear"} : f.galore_target;
  note(notes, "galore_target", "optim_target_modules");
}

bool has_argument(const std::string& arguments, const std::string& name) {
  const auto items = split_list(arguments);
  return std::any_of(items.begin(), items.end(), [&](const std::string& item) {
    return canonical_name(item.substr(0, item.find('='))) == name;
  });
}

// The research scripts' rank and the like, behind what optim_args says already: the last one counts.
void resolve_arguments(TrainOptions& o, OptionTable& table, Notes& notes) {
  const ForeignOptions& f = o.foreign;
  struct Argument {
    const char *foreign, *name;
    std::string value;
  };
  const Argument arguments[] = {{"rank", "rank", f.rank},
                                {"update_proj_gap", "update_proj_gap", f.update_proj_gap},
                                {"galore_scale", "scale", f.galore_scale},
                                {"proj_type", "proj_type", f.proj_type},
                                {"qgalore_proj_bits", "proj_bits", f.qgalore_proj_bits},
                                {"qgalore_proj_group_size", "proj_group_size", f.qgalore_proj_group_size},
                                {"qgalore_cos_threshold", "cos_threshold", f.qgalore_cos_threshold},
                                {"qgalore_gamma_proj", "gamma_proj", f.qgalore_gamma_proj},
                                {"qgalore_queue_size", "queue_size", f.qgalore_queue_size},
                                {"qgalore_proj_quant", "proj_bits", f.qgalore_proj_quant ? "" : "16"}};
  std::string appended;
  for (const Argument& argument : arguments) {
    if (!table.was_set(argument.foreign) || argument.value.empty()) continue;
    if (has_argument(o.optim_args, argument.name) && !decides(table, argument.foreign, "optim_args"))
      continue;
    appended += fmt::format(",{}={}", argument.name, argument.value);
    note(notes, argument.foreign, fmt::format("optim_args={}={}", argument.name, argument.value));
  }
  o.optim_args = o.optim_args.empty() && !appended.empty() ? appended.substr(1) : o.optim_args + appended;
}

}  // namespace

void declare_options(OptionTable& table, ForeignOptions& o) {
  table.group("Names of other programs");
  table.add("total_batch_size", &o.total_batch_size, "rows in an update; decides gradient_accumulation_steps")
      .range(1, 1e12);
  table.add("max_train_tokens", &o.max_train_tokens, "decides max_steps; 1.1B is understood").range(1, 1e18);
  table.add("warmup_ratio", &o.warmup_ratio, "warm-up as a share of all updates").range(0, 1);
  table.add("min_lr_ratio", &o.min_lr_ratio, "the cosine schedule ends at this share").range(0, 1);
  table.add("use_galore", &o.use_galore, "LLaMA-Factory: the optimizer within GaLore");
  table.add("galore_layerwise", &o.galore_layerwise, "LLaMA-Factory: optim_layerwise");
  table.add("galore_target", &o.galore_target, "LLaMA-Factory: optim_target_modules");
  table.add("rank", &o.rank, "optim_args: rank").alias("galore_rank").alias("qgalore_rank");
  table.add("update_proj_gap", &o.update_proj_gap, "optim_args: update_proj_gap")
      .alias("galore_update_interval")
      .alias("qgalore_update_proj_gap");
  table.add("galore_scale", &o.galore_scale, "optim_args: scale").alias("qgalore_scale");
  table.add("proj_type", &o.proj_type, "optim_args: proj_type")
      .alias("galore_proj_type")
      .alias("qgalore_proj_type");
  table.add("qgalore_proj_bits", &o.qgalore_proj_bits, "axolotl; optim_args: proj_bits");
  table.add("qgalore_proj_group_size", &o.qgalore_proj_group_size, "axolotl; optim_args: proj_group_size");
  table.add("qgalore_cos_threshold", &o.qgalore_cos_threshold, "axolotl; optim_args: cos_threshold");
  table.add("qgalore_gamma_proj", &o.qgalore_gamma_proj, "axolotl; optim_args: gamma_proj");
  table.add("qgalore_queue_size", &o.qgalore_queue_size, "axolotl; optim_args: queue_size");
  table.add("qgalore_proj_quant", &o.qgalore_proj_quant, "axolotl; false: optim_args proj_bits=16");
}

void resolve_foreign(TrainOptions& options, OptionTable& table, std::vector<std::string>& notes) {
  resolve_sizes(options, table, notes);
  resolve_schedule(options, table, notes);
  resolve_galore(options, notes);
  resolve_arguments(options, table, notes);
}

}  // namespace galore
