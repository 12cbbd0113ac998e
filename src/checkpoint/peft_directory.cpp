#include "checkpoint/peft_directory.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "checkpoint/json_file.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_header.h"
#include "checkpoint/weight_files.h"
#include "core/errors.h"

namespace galore {
namespace {

// Returns the trained parameters by their names in the file.
std::map<std::string, Parameter*> by_peft_name(TrainableModel& model) {
  const AdaptedLayers& adapted = *model.adapted();
  const auto places = adapted.places();
  std::map<std::string, Parameter*> named;
  for (Parameter* parameter : model.parameters())
    if (parameter->trainable) named.emplace(adapted.adapter().peft_name(*parameter, places), parameter);
  return named;
}

void check_shape(const std::string& file, const TensorInfo& info, const Parameter& parameter) {
  if (parameter.sizes() != at::IntArrayRef(info.shape))
    fail("adapter", "{}: tensor {}: expected shape [{}], given [{}]", file, quoted_name(info.name),
         fmt::join(parameter.sizes(), ", "), fmt::join(info.shape, ", "));
  if (!at::isFloatingType(info.dtype))
    fail("adapter", "{}: tensor {}: expected F64, F32, BF16 or F16, given {}", file, quoted_name(info.name),
         safetensors_dtype_name(info.dtype));
  if (parameter.codes)
    fail("adapter", "{}: tensor {}: the weight is quantized and cannot be replaced", file,
         quoted_name(info.name));
}

SafetensorsReader open_adapter(const Path& directory) {
  const Path file = directory / kAdapterWeightsName;
  if (std::filesystem::exists(file)) return SafetensorsReader(file);
  if (std::filesystem::exists(directory / "adapter_model.bin"))
    fail("adapter", "{}: expected {}; adapter_model.bin is a pickle, which may run code, and is not opened",
         directory.string(), kAdapterWeightsName);
  fail("adapter", "{}: expected {}", directory.string(), kAdapterWeightsName);
}

// A new adapter is one of a causal language model until its model is known. peft reads the weights of a
// classifier's head only if it is told so.
void state_task(const HeadConfig& head, Adapter::Json& config) {
  if (head.kind == HeadKind::language || config["task_type"] != "CAUSAL_LM") return;
  config["task_type"] = head.predicts_tokens() ? Adapter::Json(nullptr) : Adapter::Json("SEQ_CLS");
  if (!head.predicts_tokens() && config["modules_to_save"].is_null())
    config["modules_to_save"] = {"classifier", "score"};
}

}  // namespace

bool is_adapter_directory(const Path& directory) {
  return std::filesystem::exists(directory / kAdapterConfigName) &&
         !std::filesystem::exists(directory / "config.json");
}

bool has_peft_adapter(const TrainableModel& model) {
  const AdaptedLayers* adapted = model.adapted();
  return adapted && !adapted->peft_config().is_null();
}

Adapter::Json read_adapter_config(const Path& directory) {
  const Path file = directory / kAdapterConfigName;
  if (!std::filesystem::exists(file))
    fail("adapter", "{}: expected {}", directory.string(), kAdapterConfigName);
  const std::string text = read_file(file, kLargestJsonFile);
  parse_json_object(file.string(), text);  // checks size, depth and type
  return Adapter::Json::parse(text);
}

void load_adapter(const Path& directory, TrainableModel& model) {
  const SafetensorsReader reader = open_adapter(directory);
  const std::string file = reader.path().string();
  auto wanted = by_peft_name(model);
  for (const TensorInfo& info : reader.tensors()) {
    const auto found = wanted.find(info.name);
    if (found == wanted.end())
      fail("adapter", "{}: tensor {} does not fit the model and {}", file, quoted_name(info.name),
           kAdapterConfigName);
    check_shape(file, info, *found->second);
    reader.read_into(info.name, found->second->value);
    wanted.erase(found);
  }
  if (!wanted.empty())
    fail("adapter", "{}: no tensor {} ({} are missing)", file, quoted_name(wanted.begin()->first),
         wanted.size());
}

void save_adapter(const Path& directory, TrainableModel& model, const std::string& base) {
  std::filesystem::create_directories(directory);
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, parameter] : by_peft_name(model)) {
    tensors.emplace_back(*parameter, parameter->codes ? at::kFloat : parameter->value.scalar_type());
    tensors.back().name = name;
  }
  const AdaptedLayers& adapted = *model.adapted();
  Adapter::Json config = adapted.peft_config();
  Adapter::Json& named = config["base_model_name_or_path"];
  if (named.is_null()) named = base;
  state_task(model.config().head, config);
  AtomicFile weights(directory / kAdapterWeightsName);
  write_safetensors(weights, tensors);
  std::filesystem::remove(directory / "config.json");
  remove_other_weights(directory, {kAdapterWeightsName});
  weights.commit();
  write_file_atomically(directory / kAdapterConfigName, config.dump(2) + "\n");
}

}  // namespace galore
