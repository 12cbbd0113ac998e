// Reads single keys of a config.json into ModelConfig, as the keys of an architecture describe them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checkpoint/json_file.h"
#include "models/architecture.h"

namespace galore {

class ConfigReader {
 public:
  // `json` must outlive the reader.
  ConfigReader(const std::string& where, const Json& json) : where_(where), json_(json) {}

  // Reads one key, or its default where it is missing. A value of another type or outside the key's range is
  // an Error that names it.
  void read(const ConfigKey& key, ModelConfig& config) const;

 private:
  void set(const ConfigKey& key, const Json* value, int64_t& target) const;
  void set(const ConfigKey& key, const Json* value, double& target) const;
  void set(const ConfigKey& key, const Json* value, bool& target) const;
  // Reads a token's id: null and negative numbers mean none, and of a list (several tokens that end a text)
  // the first counts. Null differs from a missing key, which has transformers' default.
  void set(const ConfigKey& key, const Json* value, std::optional<int64_t>& target) const;
  // Reads a number for which null means that the model does not have it.
  void set(const ConfigKey& key, const Json* value, std::optional<double>& target) const;
  void set(const ConfigKey& key, const Json* value, std::vector<int64_t>& target) const;

  std::string where_;
  const Json& json_;
};

}  // namespace galore
