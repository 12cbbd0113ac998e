#include "checkpoint/generation_config.h"

#include <gtest/gtest.h>

#include "core/errors.h"

namespace galore {
namespace {

ModelConfig with_generation(const std::string& text) {
  ModelConfig config;
  config.eos_token_id = 2;
  config.source = R"({"eos_token_id":[2,3]})";
  config.generation_source = text;
  return config;
}

TEST(GenerationConfig, SaysWhatTheFileSays) {
  const GenerationDefaults defaults = generation_defaults(with_generation(
      R"({"do_sample":true,"temperature":0.6,"top_p":0.95,"top_h":0.4,"top_k":20,"min_p":null,"eos_token_id":[7,8],
          "stop_strings":"END","num_beams":1,"pad_token_id":7,"_from_model_config":true})"));
  const std::vector<std::pair<std::string, std::string>> expected{
      {"do_sample", "true"}, {"temperature", "0.6"}, {"top_h", "0.4"}, {"top_k", "20"}, {"top_p", "0.95"}};
  EXPECT_EQ(defaults.options, expected);
  EXPECT_EQ(defaults.stop_ids, (std::vector<int64_t>{7, 8}));
  EXPECT_EQ(defaults.stop_strings, (std::vector<std::string>{"END"}));
}

TEST(GenerationConfig, EndsOfTextOfTheModelItself) {
  EXPECT_EQ(generation_defaults(with_generation("")).stop_ids, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(generation_defaults(with_generation(R"({"eos_token_id":null})")).stop_ids,
            (std::vector<int64_t>{2, 3}));
  ModelConfig config;
  EXPECT_TRUE(generation_defaults(config).stop_ids.empty());
}

TEST(GenerationConfig, WhatCannotBeDoneIsRefusedByName) {
  for (const char* text :
       {R"({"num_beams":4})", R"({"no_repeat_ngram_size":3})", R"({"suppress_tokens":[1]})",
        R"({"eos_token_id":["a"]})", R"({"stop_strings":[1]})", "[]"})
    EXPECT_THROW(generation_defaults(with_generation(text)), Error) << text;
}

}  // namespace
}  // namespace galore
