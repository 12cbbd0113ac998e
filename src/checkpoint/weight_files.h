// Reads the safetensors files of a model folder, one file or several shards, as one set of tensors.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"

namespace galore {

struct StoredTensor {
  const SafetensorsReader* file;
  const TensorInfo* info;
};

class WeightFiles {
 public:
  // Opens model.safetensors or, without it, the shards of model.safetensors.index.json. A folder without
  // either is an Error, and so is an index that names a file outside the folder or disagrees with a shard
  // about a tensor.
  //
  // If all names begin with the prefixes of a wrapper, such as the "_orig_mod." of a compiled model, the
  // names are given without them.
  explicit WeightFiles(const Path& directory);

  // Returns the prefix that was taken off, or "".
  const std::string& wrapper_prefix() const { return wrapper_prefix_; }

  const std::vector<std::unique_ptr<SafetensorsReader>>& files() const { return files_; }
  // Returns the tensors by file and by their place in the file; names are unique.
  const std::vector<StoredTensor>& tensors() const { return tensors_; }

 private:
  void open_shards(const Path& directory, const Path& index);
  void take_off_wrappers();

  std::vector<std::unique_ptr<SafetensorsReader>> files_;
  std::vector<StoredTensor> tensors_;
  std::string wrapper_prefix_;
};

// Returns true if the folder holds a file that WeightFiles opens.
bool has_weight_files(const Path& directory);
// Returns true for weight files of other formats and for adapters. transformers would load them with, or
// instead of, the model beside them.
bool is_foreign_weight_file_name(const std::string& name);
// Returns true for file names that save_model may have written: model.safetensors, its index and shards.
bool is_weight_file_name(const std::string& name);

// Removes all files of both kinds from the folder that are not among `kept`.
void remove_other_weights(const Path& directory, const std::vector<std::string>& kept);

inline constexpr const char* kWeightsName = "model.safetensors";
inline constexpr const char* kIndexName = "model.safetensors.index.json";

}  // namespace galore
