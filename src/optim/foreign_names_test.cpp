#include "optim/foreign_names.h"

#include <gtest/gtest.h>

namespace galore {
namespace {

TEST(ForeignNames, SayWhatAWeightIs) {
  EXPECT_EQ(role_by_name("model.embed_tokens.weight", 2), Role::embedding);
  EXPECT_EQ(role_by_name("transformer.wte.weight", 2), Role::embedding);
  EXPECT_EQ(role_by_name("transformer.wpe.weight", 2), Role::embedding);
  EXPECT_EQ(role_by_name("lm_head.weight", 2), Role::head);
  EXPECT_EQ(role_by_name("model.layers.0.self_attn.q_proj.weight", 2), Role::matrix);
  EXPECT_EQ(role_by_name("conv.weight", 4), Role::matrix);
  EXPECT_EQ(role_by_name("model.layers.0.self_attn.q_proj.bias", 1), Role::bias);
  EXPECT_EQ(role_by_name("model.norm.weight", 1), Role::norm);
}

TEST(ForeignNames, SayTheLayerOfAWeight) {
  EXPECT_EQ(layer_by_name("model.layers.12.mlp.up_proj.weight"), 12);
  EXPECT_EQ(layer_by_name("h.3.attn.c_attn.weight"), 3);
  EXPECT_EQ(layer_by_name("bert.encoder.layer.7.output.dense.weight"), 7);
  EXPECT_EQ(layer_by_name("lm_head.weight"), -1);
  EXPECT_EQ(layer_by_name("path.3.weight"), -1);
}

}  // namespace
}  // namespace galore
