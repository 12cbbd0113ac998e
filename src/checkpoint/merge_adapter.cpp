// Folds an adapter into the files of its model.
#include <map>

#include "checkpoint/peft_directory.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/weight_files.h"
#include "core/errors.h"

namespace galore {
namespace {

// The tensors that an adapter changes, by their names in the model.
class Merged {
 public:
  explicit Merged(TrainableModel& model) {
    for (const AdaptedLayer* layer : model.adapted()->layers()) layers_[layer->name() + ".weight"] = layer;
    for (const Parameter* parameter : model.parameters()) {
      if (parameter->role == Role::embedding && prefix_.empty())
        prefix_ = parameter->name.substr(0, parameter->name.find('.') + 1);
      if (parameter->trainable && parameter->role != Role::adapter) parameters_[parameter->name] = parameter;
    }
  }

  // Returns the tensor as it is written. Files of a model without head lack the prefix of all names.
  TensorToWrite tensor(const SafetensorsReader& file, const TensorInfo& info) {
    for (const std::string& name : {info.name, prefix_ + info.name}) {
      if (const auto found = layers_.find(name); found != layers_.end()) {
        ++count_;
        return {info.name, found->second->merged_weight(), info.dtype};
      }
      if (const auto found = parameters_.find(name); found != parameters_.end()) {
        ++count_;
        TensorToWrite tensor(*found->second, info.dtype);
        tensor.name = info.name;
        return tensor;
      }
    }
    return {info.name, file.read(info.name)};
  }
  bool complete() const { return count_ == layers_.size() + parameters_.size(); }

 private:
  std::map<std::string, const AdaptedLayer*> layers_;
  std::map<std::string, const Parameter*> parameters_;
  std::string prefix_;
  size_t count_ = 0;
};

bool is_unfinished_or_weights(const std::string& name) {
  return name.starts_with('.') || name.ends_with(".safetensors") || name.ends_with(".bin");
}

}  // namespace

void merge_adapter(const Path& base, const Path& output, TrainableModel& model) {
  std::error_code ignored;
  if (std::filesystem::equivalent(base, output, ignored))
    fail_usage("output_dir", "expected another folder than the model's, given {}", output.string());
  std::filesystem::create_directories(output);
  std::filesystem::remove(output / "config.json");
  Merged merged(model);
  const WeightFiles files(base);
  for (const auto& file : files.files()) {
    std::vector<TensorToWrite> tensors;
    for (const TensorInfo& info : file->tensors()) tensors.push_back(merged.tensor(*file, info));
    write_safetensors(output / file->path().filename(), tensors, file->metadata());
  }
  if (!merged.complete())
    fail("merge", "{}: the model lacks weights that the adapter changes", base.string());
  for (const auto& entry : std::filesystem::directory_iterator(base)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || is_unfinished_or_weights(name) || name == "config.json") continue;
    write_file_atomically(output / name, read_file(entry.path()));
  }
  write_file_atomically(output / "config.json", read_file(base / "config.json"));
}

}  // namespace galore
