// Names of LLaMA-Factory, axolotl and the research scripts that are not simply other names of our options
// (those are aliases).
#include "train/foreign_options.h"

#include <algorithm>

#include "core/errors.h"
#include "optim/presets.h"

namespace galore {
namespace {

using Notes = std::vector<std::string>;

void note(Notes& notes, const char* from, const std::string& to) {
  notes.push_back(fmt::format("{} is taken as {}", from, to));
}

// Returns whether the foreign option `name` takes precedence over our option `own`, which may be set too.
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

void resolve_layers(TrainOptions& o, const std::string& prefix, bool layerwise,
                    const std::vector<std::string>& target, Notes& notes) {
  if (layerwise) {
    o.optimizer.layerwise = true;
    note(notes, (prefix + "_layerwise").c_str(), "optim_layerwise");
  }
  if (target.empty()) return;
  const bool all = target.size() == 1 && target[0] == "all";
  o.optimizer.target_modules = all ? std::vector<std::string>{"all-linear"} : target;
  note(notes, (prefix + "_target").c_str(), "optim_target_modules");
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
  resolve_layers(o, "galore", f.galore_layerwise, f.galore_target, notes);
}

void resolve_apollo_and_badam(TrainOptions& o, Notes& notes) {
  const ForeignOptions& f = o.foreign;
  if (f.use_galore + f.use_apollo + f.use_badam > 1)
    fail_usage("optim", "expected one of use_galore, use_apollo and use_badam, given several");
  const char* name = f.use_apollo ? "apollo_adamw" : "badam";
  if (f.use_apollo || f.use_badam) {
    o.optim = name;
    note(notes, f.use_apollo ? "use_apollo" : "use_badam", "optim=" + o.optim);
  }
  resolve_layers(o, "apollo", f.apollo_layerwise, f.apollo_target, notes);
}

void resolve_sampling(TrainOptions& o, Notes& notes) {
  const ForeignOptions& f = o.foreign;
  const bool sequential = f.disable_shuffling || f.curriculum_sampling;
  if (sequential && f.group_by_length)
    fail_usage("train_sampling_strategy", "expected one order of the rows, given group_by_length and {}",
               f.disable_shuffling ? "disable_shuffling" : "curriculum_sampling");
  if (!sequential && !f.group_by_length) return;
  o.train_sampling_strategy = sequential ? "sequential" : "group_by_length";
  note(notes,
       sequential ? (f.disable_shuffling ? "disable_shuffling" : "curriculum_sampling") : "group_by_length",
       "train_sampling_strategy=" + o.train_sampling_strategy);
}

bool has_argument(const std::string& arguments, const std::string& name) {
  const auto pairs = parse_pairs("optim_args", arguments);
  return std::any_of(pairs.begin(), pairs.end(),
                     [&](const auto& pair) { return canonical_name(pair.first) == name; });
}

// Appends rank and similar options of the research scripts to optim_args, where the last value counts.
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
                                {"apollo_scale", "scale", f.apollo_scale},
                                {"scale_type", "scale_type", f.scale_type},
                                {"scale_front", "scale_front", f.scale_front},
                                {"proj", "proj", f.proj},
                                {"badam_switch_interval", "switch_every", f.switch_interval},
                                {"weight_bits", "weight_bits", f.weight_bits},
                                {"weight_group_size", "weight_group_size", f.weight_group_size},
                                {"stochastic_round", "stochastic_round", f.stochastic_round},
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

void declare_arguments(OptionTable& table, ForeignOptions& o) {
  table.add("rank", &o.rank, "optim_args: rank")
      .alias("galore_rank")
      .alias("qgalore_rank")
      .alias("apollo_rank");
  table.add("apollo_scale", &o.apollo_scale, "optim_args: scale");
  table.add("scale_type", &o.scale_type, "optim_args: scale_type").alias("apollo_scale_type");
  table.add("scale_front", &o.scale_front, "optim_args: scale_front").alias("apollo_scale_front");
  table.add("proj", &o.proj, "optim_args: proj").alias("apollo_proj");
  table.add("weight_bits", &o.weight_bits, "optim_args: weight_bits");
  table.add("weight_group_size", &o.weight_group_size, "optim_args: weight_group_size");
  table.add("stochastic_round", &o.stochastic_round, "optim_args: stochastic_round");
  table.add("update_proj_gap", &o.update_proj_gap, "optim_args: update_proj_gap")
      .alias("galore_update_interval")
      .alias("apollo_update_interval")
      .alias("qgalore_update_proj_gap");
  table.add("galore_scale", &o.galore_scale, "optim_args: scale").alias("qgalore_scale");
  table.add("proj_type", &o.proj_type, "optim_args: proj_type")
      .alias("galore_proj_type")
      .alias("apollo_proj_type")
      .alias("qgalore_proj_type");
  table.add("qgalore_proj_bits", &o.qgalore_proj_bits, "axolotl; optim_args: proj_bits").alias("proj_bits");
  table.add("qgalore_proj_group_size", &o.qgalore_proj_group_size, "axolotl; optim_args: proj_group_size")
      .alias("quant_group_size");
  table.add("qgalore_cos_threshold", &o.qgalore_cos_threshold, "axolotl; optim_args: cos_threshold")
      .alias("cos_threshold");
  table.add("qgalore_gamma_proj", &o.qgalore_gamma_proj, "axolotl; optim_args: gamma_proj")
      .alias("gamma_proj");
  table.add("qgalore_queue_size", &o.qgalore_queue_size, "axolotl; optim_args: queue_size")
      .alias("queue_size");
  table.add("qgalore_proj_quant", &o.qgalore_proj_quant, "axolotl; false: optim_args proj_bits=16")
      .alias("proj_quant");
}

}  // namespace

void declare_options(OptionTable& table, ForeignOptions& o) {
  table.group("Names of other programs");
  table.add("total_batch_size", &o.total_batch_size, "rows in an update; sets gradient_accumulation_steps")
      .range(1, 1e12);
  table
      .add("max_train_tokens", &o.max_train_tokens, "number of training tokens, such as 1.1B; sets max_steps")
      .range(1, 1e18);
  table.add("warmup_ratio", &o.warmup_ratio, "warm-up as a share of all updates").range_below(0, 1);
  table.add("min_lr_ratio", &o.min_lr_ratio, "share of the peak rate at which the cosine schedule ends")
      .range(0, 1);
  table.add("use_galore", &o.use_galore, "LLaMA-Factory: use the optimizer inside GaLore");
  table.add("galore_layerwise", &o.galore_layerwise, "LLaMA-Factory: optim_layerwise");
  table.add("galore_target", &o.galore_target, "LLaMA-Factory: optim_target_modules");
  table.add("use_apollo", &o.use_apollo, "LLaMA-Factory: optim=apollo_adamw");
  table.add("apollo_layerwise", &o.apollo_layerwise, "LLaMA-Factory: optim_layerwise");
  table.add("apollo_target", &o.apollo_target, "LLaMA-Factory: optim_target_modules");
  table.add("use_badam", &o.use_badam, "LLaMA-Factory: optim=badam");
  table.add("badam_switch_interval", &o.switch_interval, "LLaMA-Factory; optim_args: switch_every");
  table.add("group_by_length", &o.group_by_length,
            "Hugging Face's Trainer: train_sampling_strategy=group_by_length");
  table.add("disable_shuffling", &o.disable_shuffling, "LLaMA-Factory: train_sampling_strategy=sequential");
  table.add("curriculum_sampling", &o.curriculum_sampling, "axolotl: train_sampling_strategy=sequential");
  declare_arguments(table, o);
  declare_foreign_keys(table, o.without_effect);
}

void resolve_foreign(TrainOptions& options, OptionTable& table, std::vector<std::string>& notes) {
  resolve_sizes(options, table, notes);
  resolve_schedule(options, table, notes);
  resolve_galore(options, notes);
  resolve_apollo_and_badam(options, notes);
  resolve_sampling(options, notes);
  resolve_foreign_keys(table, notes);
  resolve_arguments(options, table, notes);
}

}  // namespace galore
