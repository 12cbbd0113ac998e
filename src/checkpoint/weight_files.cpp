#include "checkpoint/weight_files.h"

#include <algorithm>
#include <map>
#include <set>

#include "checkpoint/json_file.h"
#include "checkpoint/safetensors_header.h"
#include "core/errors.h"

namespace galore {
namespace {

constexpr size_t kMostShards = 512;  // each shard is an open file

// Returns, for each shard, the names of its tensors.
std::map<std::string, std::set<std::string>> read_index(const Path& index) {
  const Json json = read_json_object(index);
  const Json map = json_value<Json>(index.string(), json, "weight_map");
  if (!map.is_object() || map.empty()) fail("weights", "{}: 'weight_map' names no tensors", index.string());
  std::map<std::string, std::set<std::string>> shards;
  for (const auto& [name, value] : map.items()) {
    if (!value.is_string())
      fail("weights", "{}: tensor {} has no file name", index.string(), quoted_name(name));
    const std::string file = value.get<std::string>();
    if (file.empty() || file.front() == '.' ||
        file.find_first_of(std::string("/\\\0", 3)) != std::string::npos)
      fail("weights", "{}: tensor {}: the file name {} is not one within the folder", index.string(),
           quoted_name(name), quoted_name(file));
    shards[file].insert(name);
  }
  if (shards.size() > kMostShards)
    fail("weights", "{}: {} shards, expected at most {}", index.string(), shards.size(), kMostShards);
  return shards;
}

}  // namespace

WeightFiles::WeightFiles(const Path& directory) {
  const Path whole = directory / kWeightsName, index = directory / kIndexName;
  if (std::filesystem::exists(whole)) {
    files_.push_back(std::make_unique<SafetensorsReader>(whole));
  } else if (std::filesystem::exists(index)) {
    open_shards(directory, index);
  } else {
    fail("weights", "{}: expected {} or {} (other formats are not read)", directory.string(), kWeightsName,
         kIndexName);
  }
  take_off_wrappers();
  for (const auto& file : files_)
    for (const TensorInfo& info : file->tensors()) tensors_.push_back({file.get(), &info});
}

void WeightFiles::take_off_wrappers() {
  // torch.compile, DistributedDataParallel, peft and PyTorch Lightning put these before the names.
  constexpr const char* kWrappers[] = {"_orig_mod.", "module.", "base_model.model.", "_forward_module."};
  const auto all_begin_with = [&](const std::string& prefix) {
    return std::all_of(files_.begin(), files_.end(), [&](const auto& file) {
      return std::all_of(file->tensors().begin(), file->tensors().end(),
                         [&](const TensorInfo& info) { return info.name.starts_with(prefix); });
    });
  };
  const auto any_tensor = [&] { return !files_.empty() && !files_[0]->tensors().empty(); };
  for (bool found = any_tensor(); found;) {
    found = false;
    for (const std::string prefix : kWrappers) {
      if (!all_begin_with(prefix)) continue;
      for (const auto& file : files_) file->take_off_prefix(prefix);
      wrapper_prefix_ += prefix;
      found = true;
    }
  }
}

void WeightFiles::open_shards(const Path& directory, const Path& index) {
  for (const auto& [file_name, names] : read_index(index)) {
    files_.push_back(std::make_unique<SafetensorsReader>(directory / file_name));
    const SafetensorsReader& file = *files_.back();
    for (const std::string& name : names) file.at(name);
    for (const TensorInfo& info : file.tensors())
      if (!names.count(info.name))
        fail("weights", "{}: tensor {} is not in the index", file.path().string(), quoted_name(info.name));
  }
}

bool has_weight_files(const Path& directory) {
  return std::filesystem::exists(directory / kWeightsName) || std::filesystem::exists(directory / kIndexName);
}

bool is_foreign_weight_file_name(const std::string& name) {
  constexpr std::string_view kNames[] = {"adapter_config.json", "adapter_model.safetensors",
                                         "adapter_model.bin", "tf_model.h5", "flax_model.msgpack"};
  if (std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames)) return true;
  return name.starts_with("pytorch_model") && (name.ends_with(".bin") || name.ends_with(".bin.index.json"));
}

bool is_weight_file_name(const std::string& name) {
  if (name == kWeightsName || name == kIndexName) return true;
  const std::string pattern = "model-#####-of-#####.safetensors";  // #: a digit
  return std::equal(name.begin(), name.end(), pattern.begin(), pattern.end(),
                    [](char c, char p) { return p == '#' ? c >= '0' && c <= '9' : c == p; });
}

void remove_other_weights(const Path& directory, const std::vector<std::string>& kept) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if ((is_weight_file_name(name) || is_foreign_weight_file_name(name)) &&
        std::find(kept.begin(), kept.end(), name) == kept.end())
      std::filesystem::remove(entry.path());
  }
}

}  // namespace galore
