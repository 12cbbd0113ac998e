#include "checkpoint/layer_choice.h"

#include <map>

#include "adapters/adapted_layers.h"
#include "checkpoint/hugging_face.h"
#include "checkpoint/json_file.h"
#include "checkpoint/weight_files.h"
#include "core/errors.h"

namespace galore {

std::string load_with_layers(const Path& directory, TrainableModel& model) {
  if (const AdaptedLayers* adapted = model.adapted()) {
    const WeightFiles files(directory);
    std::map<std::string, std::vector<int64_t>> sizes;
    for (const StoredTensor& stored : files.tensors()) sizes[stored.info->name] = stored.info->shape;
    adapted->fit([&](const std::string& name) {
      const auto found = sizes.find(name);
      return found == sizes.end() ? std::nullopt : std::optional(found->second);
    });
  }
  return load_weights(directory, model.parameters());
}

void write_layer_choice(const Path& directory, const TrainableModel& model) {
  const AdaptedLayers* adapted = model.adapted();
  const Adapter::Json choice = adapted ? adapted->adapter().choice() : Adapter::Json();
  const Path file = directory / kLayerChoiceName;
  if (!choice.is_null()) return write_file_atomically(file, choice.dump(2) + "\n");
  std::filesystem::remove(file);
}

std::optional<LayerChoice> read_layer_choice(const Path& directory) {
  const Path file = directory / kLayerChoiceName;
  if (!std::filesystem::exists(file)) return std::nullopt;
  const std::string text = read_file(file, kLargestJsonFile);
  parse_json_object(file.string(), text);  // checks size, depth and type
  const auto choice = Adapter::Json::parse(text);
  const auto name = choice.find("adapter"), arguments = choice.find("adapter_args");
  if (name == choice.end() || !name->is_string() || arguments == choice.end() || !arguments->is_object())
    fail("adapter", "{}: expected a name 'adapter' and a map 'adapter_args'", file.string());
  return LayerChoice{name->get<std::string>(), arguments->dump()};
}

}  // namespace galore
