// The configuration of a LoRA adapter in PEFT's names: from adapter_args, or from an adapter_config.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/lora_factors.h"
#include "adapters/module_pattern.h"

namespace galore {

// A set of modules: names or their endings, a regular expression of the whole name, or all matrices inside
// the layers.
struct ModuleSet {
  std::vector<std::string> endings;
  std::optional<PythonPattern> expression;
  bool all_linear = false;

  bool empty() const { return endings.empty() && !expression && !all_linear; }
  // Returns true for modules that the set names. `all_linear` is the caller's question.
  bool names(const std::string& module) const;
};

template <typename T>
struct NamedNumber {
  PythonPattern pattern;  // PEFT's (.*\.)?(KEY)$
  T value;
};

struct LoraConfig {
  int64_t r = 8;
  double lora_alpha = 8, lora_dropout = 0;
  bool use_rslora = false, use_dora = false;
  std::string bias = "none";  // biases that are trained: none, all, lora_only
  ModuleSet target_modules, exclude_modules;
  std::vector<int64_t> layers_to_transform;
  std::vector<std::string> layers_pattern;
  std::vector<NamedNumber<int64_t>> rank_pattern;  // the first that matches wins
  std::vector<NamedNumber<double>> alpha_pattern;
  std::vector<std::string> modules_to_save;
  LoraStart start = LoraStart::uniform;  // init_lora_weights
  int64_t start_iterations = 0;          // the number in pissa_niter_<number>
  Adapter::Json given;                   // the map that was read

  // Returns the rank and alpha of one module, and its scale alpha / r or alpha / sqrt(r).
  int64_t rank_of(const std::string& module) const;
  double scale_of(const std::string& module) const;
  // Returns true if PEFT would adapt the module by its name. Linear layers outside of the head count as
  // all-linear.
  bool targets(const std::string& module, bool in_all_linear) const;
  // Returns true if modules_to_save names the module or one around it.
  bool saves(const std::string& module) const;
};

// Reads `map`. Numbers may be texts, and a text of names may stand for a list, unless it is `from_file`. A
// key that changes the adapter in a way that we lack is refused by name; `where` names the source.
LoraConfig read_lora_config(const Adapter::Json& map, const std::string& where, bool from_file);

}  // namespace galore
