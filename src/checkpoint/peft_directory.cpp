#include "checkpoint/peft_directory.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "checkpoint/hugging_face.h"
#include "checkpoint/json_file.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_header.h"
#include "checkpoint/weight_files.h"
#include "core/errors.h"

namespace galore {
namespace {

bool has_factors(const std::string& name) { return name.ends_with(".base_layer.weight"); }

// Names in a folder of a model without its head lack the first part.
bool lacks(const WeightFiles& files, const std::string& name) {
  return std::none_of(files.tensors().begin(), files.tensors().end(), [&](const StoredTensor& stored) {
    return stored.info->name == name || name.ends_with("." + stored.info->name);
  });
}

// The parameters of an adapter by their names in the file. Like PEFT, we save the tables and the head that
// have factors, and read them where a file holds them.
struct AdapterParameters {
  explicit AdapterParameters(TrainableModel& model) {
    const AdaptedLayers& adapted = *model.adapted();
    const auto places = adapted.places();
    for (Parameter* parameter : model.parameters()) {
      const std::string name = adapted.adapter().peft_name(*parameter, places);
      if (parameter->trainable) {
        trained.emplace(name, parameter);
      } else if (parameter->role == Role::adapter) {
        starts.emplace(name, parameter);
      } else if (parameter->role == Role::embedding || parameter->role == Role::head ||
                 parameter->of_new_head) {
        stored.emplace(name, parameter);
        if (parameter->uses > 1) stored.emplace("base_model.model.lm_head.weight", parameter);
      }
    }
  }
  // Returns the parameter of this name, or null.
  Parameter* find(const std::string& name) const {
    for (const auto* parameters : {&trained, &stored})
      if (const auto found = parameters->find(name); found != parameters->end()) return found->second;
    return nullptr;
  }

  // Returns the trained parameters, tables and heads that have factors, and parts of a new head that the
  // model's directory lacks.
  std::map<std::string, Parameter*> to_write(const Path& base) const {
    auto written = trained;
    const bool is_model = has_weight_files(base);
    const auto files = is_model ? std::make_unique<WeightFiles>(base) : nullptr;
    for (const auto& [name, parameter] : stored)
      if (parameter->of_new_head ? is_model && lacks(*files, parameter->name) : has_factors(name))
        written.emplace(name, parameter);
    return written;
  }

  std::map<std::string, Parameter*> trained, stored;
  std::map<std::string, Parameter*> starts;  // they stand behind the trained parameters of the same names
};

// Returns the axis along which a factor and its first value are joined: that of the rank.
int64_t rank_axis(const std::string& name) { return name.ends_with(".lora_B.weight") ? 1 : 0; }

at::Tensor joined(const std::string& name, const Parameter& factor, const Parameter& start) {
  return at::cat({factor.value, start.value}, rank_axis(name));
}

// With bias=all PEFT writes a bias inside of modules_to_save three times: under its own name, which counts,
// and as those of the copy (modules_to_save.dense.bias or modules_to_save.default.dense.bias) and of the
// original.
bool repeats_a_bias(const std::string& name, const std::map<std::string, Parameter*>& trained) {
  if (!name.ends_with(".bias")) return false;
  for (const std::string part : {".modules_to_save.", ".original_module."}) {
    const size_t at = name.find(part);
    if (at == std::string::npos) continue;
    const std::string module = name.substr(0, at + 1), inner = name.substr(at + part.size());
    return trained.count(module + inner) > 0 || trained.count(module + inner.substr(inner.find('.') + 1)) > 0;
  }
  return false;
}

void check_shape(const std::string& file, const TensorInfo& info, const Parameter& parameter,
                 bool has_start) {
  std::vector<int64_t> shape = parameter.sizes().vec();
  if (has_start) shape.at(static_cast<size_t>(rank_axis(info.name))) *= 2;
  if (shape != info.shape)
    fail("adapter", "{}: tensor {}: expected shape [{}], given [{}]", file, quoted_name(info.name),
         fmt::join(shape, ", "), fmt::join(info.shape, ", "));
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

}  // namespace

bool is_adapter_directory(const Path& directory) {
  return std::filesystem::exists(directory / kAdapterConfigName) && !has_weight_files(directory);
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

HeadConfig head_with_adapter(const Path& directory, const HeadConfig& own) {
  const Path config = directory / "config.json";
  if (std::filesystem::exists(config)) {
    const HeadConfig head = parse_model_config(config.string(), read_file(config, kLargestJsonFile)).head;
    if (!head.predicts_tokens()) return head;
  }
  const Adapter::Json task = read_adapter_config(directory).value("task_type", Adapter::Json(nullptr));
  if (task != "SEQ_CLS" || !own.predicts_tokens()) return own;
  const SafetensorsReader reader = open_adapter(directory);
  for (const char* name : {"score", "classifier", "classifier.out_proj"}) {
    const TensorInfo* weight = reader.find(fmt::format("base_model.model.{}.weight", name));
    if (!weight || weight->shape.size() != 2 || weight->shape[0] < 1) continue;
    return {weight->shape[0] == 1 ? HeadKind::regression : HeadKind::classification, weight->shape[0]};
  }
  return own;
}

void load_adapter(const Path& directory, TrainableModel& model) {
  const SafetensorsReader reader = open_adapter(directory);
  const std::string file = reader.path().string();
  const AdapterParameters known(model);
  auto missing = known.trained;
  for (const TensorInfo& info : reader.tensors()) {
    Parameter* parameter = known.find(info.name);
    if (!parameter && repeats_a_bias(info.name, known.trained)) continue;
    if (!parameter)
      fail("adapter", "{}: tensor {} does not fit the model and {}", file, quoted_name(info.name),
           kAdapterConfigName);
    const auto start = known.starts.find(info.name);
    const bool has_start = start != known.starts.end();
    check_shape(file, info, *parameter, has_start);
    if (has_start) {
      const auto halves = reader.read(info.name).to(at::kFloat).chunk(2, rank_axis(info.name));
      parameter->value.copy_(halves[0]);
      start->second->value.copy_(halves[1]);
    } else {
      reader.read_into(info.name, parameter->value);
    }
    missing.erase(info.name);
  }
  if (!missing.empty())
    fail("adapter", "{}: no tensor {} ({} are missing)", file, quoted_name(missing.begin()->first),
         missing.size());
}

// PEFT names the task of the head, and the modules that it trains for it. It has no name for masked words.
void name_task(Adapter::Json& config, const HeadConfig& head) {
  if (head.kind == HeadKind::language || config["task_type"] != "CAUSAL_LM") return;
  config["task_type"] = head.predicts_tokens() ? Adapter::Json(nullptr) : Adapter::Json("SEQ_CLS");
  if (head.predicts_tokens()) return;
  Adapter::Json& saved = config["modules_to_save"];
  if (saved.is_null()) saved = Adapter::Json::array();
  for (const char* name : {"classifier", "score"})
    if (std::find(saved.begin(), saved.end(), name) == saved.end()) saved.push_back(name);
}

void save_adapter(const Path& directory, TrainableModel& model, const std::string& base) {
  std::filesystem::create_directories(directory);
  std::vector<TensorToWrite> tensors;
  const AdapterParameters known(model);
  const auto written = known.to_write(base);
  for (const auto& [name, parameter] : written) {
    if (const auto start = known.starts.find(name); start != known.starts.end()) {
      tensors.emplace_back(name, joined(name, *parameter, *start->second));
      continue;
    }
    tensors.emplace_back(*parameter, parameter->codes ? at::kFloat : parameter->value.scalar_type());
    tensors.back().name = name;
  }
  const AdaptedLayers& adapted = *model.adapted();
  Adapter::Json config = adapted.peft_config();
  name_task(config, model.config().head);
  Adapter::Json& named = config["base_model_name_or_path"];
  if (named.is_null()) named = base;
  AtomicFile weights(directory / kAdapterWeightsName);
  write_safetensors(weights, tensors);
  std::filesystem::remove(directory / "config.json");
  remove_other_weights(directory, {kAdapterWeightsName});
  weights.commit();
  if (!model.config().head.predicts_tokens())
    write_file_atomically(directory / "config.json", model_config_text(model.config(), at::kFloat));
  write_file_atomically(directory / kAdapterConfigName, config.dump(2) + "\n");
}

}  // namespace galore
