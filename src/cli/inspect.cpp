#include "cli/inspect.h"

#include <algorithm>

#include "checkpoint/hugging_face.h"
#include "checkpoint/json_file.h"
#include "checkpoint/peft_directory.h"
#include "checkpoint/run_checkpoint.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/state_files.h"
#include "checkpoint/weight_files.h"
#include "core/errors.h"
#include "data/token_file.h"

namespace galore {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

constexpr int64_t kTokensExamined = 16 << 20;  // tokens that are read to find the largest id
constexpr int64_t kTokensAtOnce = 1 << 16, kTokensShown = 16;

void add_tensor(OrderedJson& result, const TensorInfo& info) {
  result["tensors"].push_back({{"name", info.name},
                               {"dtype", safetensors_dtype_name(info.dtype)},
                               {"shape", info.shape},
                               {"bytes", info.bytes}});
}

// Adds "tensors" and their totals by dtype.
void add_tensors(OrderedJson& result, const std::vector<const SafetensorsReader*>& files) {
  int64_t elements = 0;
  uint64_t bytes = 0;
  std::map<std::string, int64_t> by_dtype;
  result["tensors"] = OrderedJson::array();
  for (const SafetensorsReader* file : files)
    for (const TensorInfo& info : file->tensors()) {
      add_tensor(result, info);
      elements += info.num_elements();
      bytes += info.bytes;
      by_dtype[safetensors_dtype_name(info.dtype)] += info.num_elements();
    }
  result["num_tensors"] = result["tensors"].size();
  result["num_parameters"] = elements;
  result["parameters_by_dtype"] = by_dtype;
  result["tensor_bytes"] = bytes;
}

OrderedJson inspect_safetensors(const Path& path) {
  const SafetensorsReader file(path);
  OrderedJson result{{"kind", "safetensors"}, {"path", path.string()}, {"file_bytes", file.file_bytes()}};
  result["metadata"] = file.metadata();
  add_tensors(result, {&file});
  return result;
}

OrderedJson config_json(const ModelConfig& config) {
  // The keys come from the one table of keys; constant values are removed.
  OrderedJson json = OrderedJson::parse(model_config_text(config, at::kFloat));
  for (const char* key : {"architectures", "torch_dtype", "use_cache"}) json.erase(key);
  return json;
}

// A folder with a configuration that we cannot compute still has tensors to show.
void add_config(OrderedJson& result, const Path& directory) {
  if (!fs::exists(directory / "config.json")) return;
  try {
    result["config"] = config_json(read_model_config(directory));
  } catch (const Error& error) {
    result["config_error"] = error.what();
  }
}

void add_run_state(OrderedJson& result, const Path& directory) {
  if (!is_complete_checkpoint(directory)) return;
  const TrainerState state = read_trainer_state(directory / kTrainerStateName);
  result["step"] = state.global_step;
  result["max_steps"] = state.max_steps;
  result["epoch"] = state.epoch;
  if (state.best_metric) result["best_metric"] = *state.best_metric;
  if (state.settings.count("optim")) result["optim"] = state.settings.at("optim");
}

OrderedJson inspect_model(const Path& directory) {
  OrderedJson result{{"kind", "model"}, {"path", directory.string()}};
  add_run_state(result, directory);
  add_config(result, directory);
  if (fs::exists(directory / kWeightsName) || fs::exists(directory / kIndexName)) {
    const WeightFiles weights(directory);
    std::vector<const SafetensorsReader*> files;
    for (const auto& file : weights.files()) files.push_back(file.get());
    result["weight_files"] = files.size();
    add_tensors(result, files);
  }
  if (is_adapter_directory(directory)) {
    result["kind"] = "adapter";
    result["adapter"] = OrderedJson::parse(read_file(directory / kAdapterConfigName));
  }
  if (fs::exists(directory / kAdapterWeightsName)) {
    const SafetensorsReader adapter(directory / kAdapterWeightsName);
    add_tensors(result, {&adapter});
  }
  if (fs::exists(directory / kOptimizerName)) {
    const SafetensorsReader optimizer(directory / kOptimizerName);
    OrderedJson state = OrderedJson::object();
    add_tensors(state, {&optimizer});
    result["optimizer"] = std::move(state);
  }
  return result;
}

OrderedJson inspect_run(const Path& directory, const std::vector<CheckpointEntry>& checkpoints) {
  OrderedJson result{{"kind", "run"}, {"path", directory.string()}, {"checkpoints", OrderedJson::array()}};
  for (const CheckpointEntry& entry : checkpoints)
    result["checkpoints"].push_back({{"step", entry.step}, {"path", entry.path.string()}});
  result["latest"] = inspect_model(checkpoints.back().path);
  return result;
}

OrderedJson inspect_directory(const Path& directory) {
  const bool model = fs::exists(directory / kWeightsName) || fs::exists(directory / kIndexName) ||
                     fs::exists(directory / "config.json") || is_adapter_directory(directory);
  const auto checkpoints = list_checkpoints(directory);
  if (!model && checkpoints.empty())
    fail("info", "{}: neither config.json, {}, {}, {} nor a checkpoint-<step> folder", directory.string(),
         kWeightsName, kIndexName, kAdapterConfigName);
  if (!model) return inspect_run(directory, checkpoints);
  OrderedJson result = inspect_model(directory);
  for (const CheckpointEntry& entry : checkpoints)
    result["checkpoints"].push_back({{"step", entry.step}, {"path", entry.path.string()}});
  return result;
}

// Adds the first tokens, and the largest id among the first kTokensExamined.
OrderedJson inspect_tokens(const Path& path) {
  const auto file = TokenFile::open_shard(path);
  const int64_t examined = std::min(file->num_tokens(), kTokensExamined);
  const uint64_t bytes = fs::file_size(path);
  const bool header = static_cast<uint64_t>(file->num_tokens()) * file->token_bytes() != bytes;
  std::vector<int64_t> ids(kTokensAtOnce), labels(kTokensAtOnce), first;
  int64_t largest = 0;
  for (int64_t token = 0; token < examined; token += kTokensAtOnce) {
    const int64_t count = std::min(kTokensAtOnce, examined - token);
    file->read(token, count, ids.data(), labels.data());
    largest = std::max(largest, *std::max_element(ids.begin(), ids.begin() + count));
    if (token == 0) first.assign(ids.begin(), ids.begin() + std::min(count, kTokensShown));
  }
  return {{"kind", "tokens"},
          {"path", path.string()},
          {"file_bytes", bytes},
          {"header", header ? "llm.c" : "none"},
          {"num_tokens", file->num_tokens()},
          {"bytes_per_token", file->token_bytes()},
          {"first_tokens", first},
          {"largest_token", largest},
          {"tokens_examined", examined}};
}

}  // namespace

nlohmann::ordered_json inspect(const Path& path) {
  if (!fs::exists(path)) fail("info", "{} does not exist", path.string());
  if (fs::is_directory(path)) return inspect_directory(path);
  const std::string name = path.filename().string(), extension = path.extension().string();
  if (extension == ".safetensors") return inspect_safetensors(path);
  if (extension == ".bin") return inspect_tokens(path);
  if (name == kIndexName) return inspect_directory(path.has_parent_path() ? path.parent_path() : Path("."));
  if (extension == ".json")
    return {{"kind", "config"}, {"path", path.string()}, {"config", config_json(read_model_config(path))}};
  fail("info", "{}: expected a folder or a .safetensors, .bin or config .json file", path.string());
}

}  // namespace galore
