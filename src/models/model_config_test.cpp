#include "models/model_config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/errors.h"
#include "models/causal_lm.h"

namespace galore {
namespace {

// The counts come from the configurations of the GaLore authors' repository, in millions.
TEST(ModelConfig, SizesHaveThePublishedNumbersOfParameters) {
  const struct {
    const char* size;
    double all, projected;
  } published[] = {{"60m", 58.07, 25.30},
                   {"130m", 134.11, 84.93},
                   {"350m", 367.97, 302.38},
                   {"1b", 1339.08, 1207.91},
                   {"7b", 6738.42, 6476.01}};
  for (const auto& [size, all, projected] : published) {
    const ModelConfig config = model_config_for_size(size);
    EXPECT_NEAR(static_cast<double>(config.num_parameters()) * 1e-6, all, 0.00501) << size;
    EXPECT_NEAR(static_cast<double>(config.num_projected_parameters()) * 1e-6, projected, 0.00501) << size;
  }
}

TEST(ModelConfig, CountsWhatTheModelAllocates) {
  for (ModelConfig config : {model_config_for_size("60m"), model_config_for_size("3b")}) {
    for (const bool changed : {false, true}) {
      config.attention_bias = config.mlp_bias = config.tie_word_embeddings = changed;
      if (changed) config.num_key_value_heads = config.num_attention_heads / 2;
      Ledger ledger(at::kMeta);
      const auto model = make_causal_lm(config, {}, ledger);
      EXPECT_EQ(ledger.bytes(Owner::weights), 4 * config.num_parameters());
      int64_t projected = 0;
      for (const Parameter* parameter : model->parameters()) {
        if (parameter->name.ends_with("_proj.weight")) projected += parameter->value.numel();
      }
      EXPECT_EQ(projected, config.num_projected_parameters());
    }
  }
}

TEST(ModelConfig, UnknownSizeNamesTheNearest) {
  try {
    model_config_for_size("130mb");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("130m"), std::string::npos);
  }
}

}  // namespace
}  // namespace galore
