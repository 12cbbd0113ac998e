#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/errors.h"
#include "export/gguf_export.h"

namespace galore {

int export_command(const Arguments& arguments) {
  std::string model, output, format = "gguf", type = "f16";
  bool json = false;
  OptionTable table;
  table.group("Files");
  table.add("model_name_or_path", &model, "folder of a model with its tokenizer and chat template");
  table.add("output", &output, "file to write, such as model.gguf");
  table.group("Format");
  table.add("format", &format, "gguf: one file for llama.cpp and Ollama").choices({"gguf"});
  table.add("type", &type, "number format of the matrices; norms and biases stay f32")
      .choices({"f32", "f16", "bf16", "q8_0"});
  table.group("Output");
  table.add("json", &json, "print the result as one JSON object");
  if (!parse_arguments("export", table, arguments)) return 0;
  if (model.empty()) fail_usage("export", "expected --model_name_or_path DIR");
  if (output.empty()) fail_usage("export", "output: expected a file, given none");
  const GgufSummary summary = export_gguf(model, output, gguf_type_from_name(type));
  for (const std::string& note : summary.notes) fmt::print(stderr, "export: {}\n", note);
  if (json) {
    const nlohmann::ordered_json result = {
        {"output", output}, {"tensors", summary.tensors}, {"bytes", summary.bytes}};
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print("{}: {} tensors, {} bytes\n", output, summary.tensors, summary.bytes);
  }
  return 0;
}

}  // namespace galore
