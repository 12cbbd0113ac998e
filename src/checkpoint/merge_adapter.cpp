// Folds an adapter into the files of its model.
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "checkpoint/peft_directory.h"
#include "checkpoint/run_checkpoint.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/weight_files.h"
#include "core/errors.h"
#include "core/output_path.h"

namespace galore {
namespace {

// The tensors that an adapter changes, by their names in the model.
class Merged {
 public:
  explicit Merged(TrainableModel& model) {
    for (const AdaptedLayer* layer : model.adapted()->layers())
      weights_[layer->name() + ".weight"] = [layer] { return layer->merged_weight(); };
    for (AdaptedTable* table : model.adapted()->tables()) {
      weights_[table->name() + ".weight"] = [table] { return table->merged_weight(); };
      if (table->stored().uses > 1) tied_ = &table->stored();
    }
    for (const Parameter* parameter : model.parameters()) {
      if (parameter->role == Role::embedding && prefix_.empty())
        prefix_ = parameter->name.substr(0, parameter->name.find('.') + 1);
      if (parameter->trainable && parameter->role != Role::adapter) parameters_[parameter->name] = parameter;
    }
  }

  // Returns the tensor as it is written. Files of a model without head lack the prefix of all names.
  TensorToWrite tensor(const SafetensorsReader& file, const TensorInfo& info) {
    for (const std::string& name : {info.name, prefix_ + info.name}) {
      if (const auto found = weights_.find(name); found != weights_.end()) {
        ++count_;
        return {info.name, found->second(), info.dtype};
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
  // Returns the tied table that the adapter changes, or null. The head keeps the table as it was.
  const Parameter* tied() const { return tied_; }
  bool complete() const { return count_ == weights_.size() + parameters_.size(); }

 private:
  std::map<std::string, std::function<at::Tensor()>> weights_;
  std::map<std::string, const Parameter*> parameters_;
  const Parameter* tied_ = nullptr;
  std::string prefix_;
  size_t count_ = 0;
};

bool is_unfinished_or_weights(const std::string& name) {
  return name.starts_with('.') || name.ends_with(".safetensors") || name.ends_with(".bin");
}

// Records of how the base model was trained. With them the merged folder would look like that run.
bool is_of_training(const std::string& name) {
  static const std::set<std::string> records{"metrics.jsonl", "metrics.csv", "training_loss.svg",
                                             kTrainerStateName, kRngStateName};
  return records.count(name) > 0 || name.ends_with(".pt") || name.ends_with(".pth");
}

constexpr const char* kHeadName = "lm_head.weight";

// Gives the head of a tied model a tensor of its own in the file that holds the table.
void untie(const SafetensorsReader& file, const Parameter& table, std::vector<TensorToWrite>& tensors) {
  for (const TensorInfo& info : file.tensors()) {
    if (table.name.ends_with("." + info.name))
      fail("merge",
           "{}: the embedding is tied to the head, and the names in this file lack the prefix that a head of "
           "its own needs",
           file.path().string());
    if (info.name != table.name) continue;
    std::erase_if(tensors, [](const TensorToWrite& tensor) { return tensor.name == kHeadName; });
    tensors.emplace_back(kHeadName, table.value, info.dtype);
  }
}

// Copies a text of the base model. `untied` gives the head its own entry in an index of shards.
std::string copied(const Path& file, const Parameter* untied) {
  const std::string text = read_file(file);
  const std::string name = file.filename().string();
  if (!untied || (name != "config.json" && name != kIndexName)) return text;
  Adapter::Json json = Adapter::Json::parse(text);
  if (name == "config.json")
    json["tie_word_embeddings"] = false;
  else
    json["weight_map"][kHeadName] = json["weight_map"].at(untied->name);
  return json.dump(2) + "\n";
}

}  // namespace

void merge_adapter(const Path& base, const Path& output, TrainableModel& model) {
  require_other_folder(base, output);
  std::filesystem::create_directories(output);
  Merged merged(model);
  const WeightFiles files(base);
  // All weights are on disk under temporary names before the first file of an older model changes.
  std::vector<std::unique_ptr<AtomicFile>> shards;
  std::vector<std::string> names;
  for (const auto& file : files.files()) {
    std::vector<TensorToWrite> tensors;
    for (const TensorInfo& info : file->tensors()) tensors.push_back(merged.tensor(*file, info));
    if (merged.tied()) untie(*file, *merged.tied(), tensors);
    names.push_back(file->path().filename().string());
    shards.push_back(std::make_unique<AtomicFile>(output / names.back()));
    write_safetensors(*shards.back(), tensors, file->metadata());
  }
  if (!merged.complete())
    fail("merge", "{}: the model lacks weights that the adapter changes", base.string());
  std::filesystem::remove(output / "config.json");
  for (const auto& shard : shards) shard->commit();
  remove_other_weights(output, names);
  for (const auto& entry : std::filesystem::directory_iterator(base)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || is_unfinished_or_weights(name) || is_of_training(name) ||
        name == "config.json")
      continue;
    write_file_atomically(output / name, copied(entry.path(), merged.tied()));
  }
  write_file_atomically(output / "config.json", copied(base / "config.json", merged.tied()));
}

}  // namespace galore
