#include "cli/kernel_table.h"

#include <fmt/core.h>

#include "kernels/cpu_features.h"
#include "kernels/device.h"
#include "kernels/op_table.h"

namespace galore {
namespace {

const char* version_used(const kernels::OperationRow& row, at::Device device) {
  if (device.is_cpu() && row.cpu) return "cpu kernel";
  if (device.is_cuda() && row.cuda) return "cuda kernel";
  return "composed";
}

}  // namespace

nlohmann::ordered_json kernel_table() {
  const at::Device device = device_of("auto");
  nlohmann::ordered_json table{
      {"device", device.str()}, {"processor", kernel_level()}, {"cuda_built", cuda::is_built()}};
  for (const kernels::OperationRow& row : kernels::operations())
    table["operations"].push_back({{"name", row.name},
                                   {"cpu", row.cpu},
                                   {"cuda", row.cuda},
                                   {"composed", row.composed},
                                   {"here", version_used(row, device)}});
  return table;
}

std::string kernel_table_text(const nlohmann::ordered_json& table) {
  std::string text = fmt::format(
      "This machine runs on {}, with CPU kernels for {}.\nThis program was built {} CUDA kernels.\nWithout a "
      "kernel, operations are composed from libtorch's.\n\n",
      table["device"].get<std::string>(), table["processor"].get<std::string>(),
      table["cuda_built"].get<bool>() ? "with" : "without");
  const auto add_line = [&](const auto&... columns) {
    text += fmt::format("{:<26} {:<5} {:<5} {:<9} {}\n", columns...);
  };
  add_line("operation", "cpu", "cuda", "composed", "here");
  const auto mark = [](const nlohmann::ordered_json& exists) { return exists.get<bool>() ? "yes" : "-"; };
  for (const auto& row : table["operations"])
    add_line(row["name"].get<std::string>(), mark(row["cpu"]), mark(row["cuda"]), mark(row["composed"]),
             row["here"].get<std::string>());
  return text;
}

}  // namespace galore
