// The adapters of the LoRA family: LoRA, its scale alpha / sqrt(r), DoRA, and LoRA+ with its learning rates.
// They share the factors and PEFT's configuration and files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/lora_config.h"
#include "adapters/lora_factors.h"

namespace galore {

// LoRA+ (Hayou et al., "LoRA+: efficient low rank adaptation of large models", arXiv 2402.12354): the factor
// B learns faster than A. As in PEFT, biases and other vectors learn as B does, and the factors of an
// embedding have a learning rate of their own.
struct LoraPlus {
  double ratio = 16;
  double embedding_rate = 1e-6;
};

class LoraAdapter : public Adapter {
 public:
  explicit LoraAdapter(LoraConfig config, std::optional<LoraPlus> plus = std::nullopt, bool is_new = true)
      : config_(std::move(config)), plus_(plus), is_new_(is_new) {}

  bool takes(const Place& place) const override;
  std::unique_ptr<AdaptedLayer> linear(const Place& place, const LinearSize& size, const LayerBuilder& inner,
                                       Ledger& ledger) const override;
  std::unique_ptr<AdaptedTable> embedding(const Place& place, const TableSize& size,
                                          const LayerBuilder& inner, Ledger& ledger) const override;
  void choose_trainable(const ParameterList& parameters,
                        const std::vector<std::string>& places) const override;
  double learning_rate_factor(const Parameter& parameter, double learning_rate) const override;
  Json peft_config(const std::vector<std::string>& places, bool inputs_first) const override;
  std::string peft_name(const Parameter& parameter, const std::vector<std::string>& places) const override;

 protected:
  const LoraConfig& config() const { return config_; }
  bool is_new() const { return is_new_; }

 private:
  void check_names(const ParameterList& parameters, const std::vector<std::string>& places) const;
  LoraSettings settings_at(const std::string& place) const;
  void check_tied(const ParameterList& parameters) const;
  bool is_trained(const Parameter& parameter, const std::vector<std::string>& places) const;

  LoraConfig config_;
  std::optional<LoraPlus> plus_;
  bool is_new_;  // false: read from a PEFT directory
};

// Makes an adapter from adapter_args, in which `flag` (use_dora, use_rslora; null: none) is then true.
std::shared_ptr<const Adapter> new_lora(Adapter::Json arguments, const char* flag,
                                        std::optional<LoraPlus> plus = std::nullopt);
// Makes an adapter from an adapter_config.json, whose path is `where`.
std::shared_ptr<const Adapter> read_lora(const Adapter::Json& config, const std::string& where,
                                         std::optional<LoraPlus> plus = std::nullopt);

}  // namespace galore
