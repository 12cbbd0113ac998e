#include <fmt/core.h>

#include "checkpoint/hugging_face.h"
#include "checkpoint/peft_directory.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/errors.h"
#include "core/output_path.h"
#include "kernels/device.h"
#include "tokenizer/tokenizer_files.h"
#include "train/compress.h"
#include "train/inputs.h"
#include "train/run_builder.h"

namespace galore {

int merge_command(const Arguments& arguments) {
  ModelSource source;
  MachineOptions machine;
  std::string output;
  OptionTable table;
  table.add(
      "model_name_or_path", &source.model_name_or_path,
      "Hugging Face directory of the model, or an adapter whose configuration names it, or a model with "
      "factors in place of matrices");
  declare_adapter_path(table, source);
  table.add("output_dir", &output, "folder for the merged model");
  table.add("threads", &machine.threads, "number of threads; 0: one for each processor").range(0, 4096);
  if (!parse_arguments("merge", table, arguments)) return 0;
  if (source.model_name_or_path.empty()) fail_usage("merge", "expected --model_name_or_path DIR");
  if (output.empty()) fail_usage("merge", "expected --output_dir DIR");
  resolve_base_model(source);
  if (source.adapter.empty() && source.adapter_name_or_path.empty())
    fail_usage("merge", "expected --adapter_name_or_path DIR, or a model with factors in place of matrices");
  if (!source.adapter_name_or_path.empty()) require_other_folder(source.adapter_name_or_path, output);
  set_threads(machine.threads);
  // An adapter may bring the head of another task, which the files of the model lack.
  const bool keeps_files =
      !source.adapter_name_or_path.empty() &&
      read_model_config(source.model_name_or_path).head.kind == model_config_of(source).head.kind;
  if (!keeps_files) source.dtype = stored_dtype(source.model_name_or_path);
  const RunObjects run = build_model(model_config_of(source), model_options(source, "cpu"), device_of("cpu"));
  set_weights(*run.model, source, machine.seed);
  if (keeps_files) {
    merge_adapter(source.model_name_or_path, output, *run.model);
    if (const auto tokenizer = tokenizer_of(source)) replace_tokenizer_files(output, tokenizer->files());
  } else {
    merge_layers(source, output, *run.model);
  }
  fmt::print("model: {}\n", output);
  return 0;
}

}  // namespace galore
