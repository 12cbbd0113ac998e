// Layers that merge, draw anew or change their rank between updates: the function stays the same.
#include <ATen/ATen.h>

#include "adapters/test_layer.h"

namespace galore {
namespace {

using namespace testing_layer;

// Edits plain values, and keeps the names of parameters with forgotten averages.
class PlainEditor : public StateEditor {
 public:
  at::Tensor value(const Parameter& parameter) const override {
    return parameter.value.to(at::kFloat).clone();
  }
  void replace(Parameter& parameter, const at::Tensor& value) override { parameter.value.copy_(value); }
  void resize(Parameter& parameter, const at::Tensor& value) override { parameter.value = value.clone(); }
  void reset(Parameter& parameter) override { forgotten.push_back(parameter.name); }
  void prune_at_random(Parameter&, double) override { FAIL(); }
  void prune_smallest(Parameter&, double) override { FAIL(); }
  RandomStream stream(const Parameter& parameter, const char* purpose) const override {
    return {1, purpose, parameter.name, 1};
  }
  void note(const std::string&) override {}
  void report_rank(const std::string&, int64_t rank, bool) override { last_rank = rank; }

  std::vector<std::string> forgotten;
  int64_t last_rank = 0;
};

struct Merging {
  Merging(const std::string& name, const std::string& args, bool inputs_first)
      : one(name, args, inputs_first), x(random({kTokens, kInputs}, at::kFloat, 1)) {}
  Parameter& parameter(const std::string& ending) const {
    for (Parameter* own : one.parameters)
      if (own->name.ends_with(ending)) return *own;
    throw std::out_of_range(ending);
  }
  OneLayer one;
  at::Tensor x;
  PlainEditor editor;
};

TEST(MergingLayers, ComputeTheSameAfterTheirMerge) {
  for (const auto& [name, args] :
       std::vector<std::pair<std::string, std::string>>{{"relora", "r=3,lora_alpha=2,relora_steps=5"},
                                                        {"gradnormlorp", "r=3,lora_alpha=2,merge_steps=5"},
                                                        {"poet_x", "block_size=8,merge_steps=5"}})
    for (const bool inputs_first : {false, true}) {
      Merging merging(name, args, inputs_first);
      const at::Tensor before = merging.one.forward(merging.x),
                       weight = merging.parameter("up_proj.weight").value.clone();
      merging.one.layer->after_update(4, merging.editor);
      EXPECT_TRUE(at::equal(merging.parameter("up_proj.weight").value, weight)) << "not yet";
      merging.one.layer->after_update(5, merging.editor);
      EXPECT_FALSE(at::equal(merging.parameter("up_proj.weight").value, weight)) << name;
      EXPECT_EQ(merging.editor.forgotten.size(), 2) << name;
      const double error = (merging.one.forward(merging.x) - before).abs().max().item<double>();
      EXPECT_LT(error, 1e-5 * std::max(1.0, before.abs().max().item<double>())) << name << inputs_first;
    }
}

TEST(MergingLayers, DrawTheFactorAnew) {
  Merging merging("relora", "r=3,relora_steps=5", false);
  const at::Tensor first = merging.parameter("lora_A.weight").value.clone();
  merging.one.layer->after_update(5, merging.editor);
  const at::Tensor drawn = merging.parameter("lora_A.weight").value;
  EXPECT_FALSE(at::equal(first, drawn));
  EXPECT_LE(drawn.abs().max().item<double>(), 1 / std::sqrt(double{kInputs}));
  EXPECT_GT(drawn.abs().max().item<double>(), 0);
  EXPECT_EQ(merging.parameter("lora_B.weight").value.abs().max().item<float>(), 0);
}

TEST(MergingLayers, DrawOtherPermutationsForTheNextRound) {
  Merging merging("poet_x", "block_size=8,merge_steps=5", false);
  const auto weight_after = [&](double round) {
    merging.parameter("poet_round").value.fill_(round);
    return merging.one.layer->merged_weight();
  };
  EXPECT_FALSE(at::equal(weight_after(0), weight_after(1)));
  EXPECT_TRUE(at::equal(weight_after(1), weight_after(1)));
}

// The product has the rank that is kept, so the cut loses nothing.
TEST(InRankLayers, ComputeTheSameAfterTheCutToTheirTrueRank) {
  Merging merging("inrank", "r=1,buffer=2,growth_steps=4", false);
  merging.parameter("factor_B.weight").value.slice(1, 1).zero_();
  const at::Tensor before = merging.one.forward(merging.x);
  merging.one.layer->after_update(4, merging.editor);
  EXPECT_EQ(merging.parameter("factor_A.weight").sizes(), (at::IntArrayRef{1, kInputs}));
  EXPECT_EQ(merging.parameter("factor_B.weight").sizes(), (at::IntArrayRef{kOutputs, 1}));
  EXPECT_EQ(merging.editor.last_rank, 1);
  EXPECT_LT((merging.one.forward(merging.x) - before).abs().max().item<float>(), 1e-4f);
}

TEST(InRankLayers, GrowWhileTheirRankExplainsTooLittle) {
  Merging merging("inrank", "r=1,buffer=1,max_rank=7,start_steps=0,check_steps=2,growth_steps=0,threshold=1",
                  false);
  const at::Tensor rows = merging.parameter("factor_A.weight").value.clone();
  merging.one.layer->after_update(1, merging.editor);
  EXPECT_EQ(merging.editor.last_rank, 1) << "no check is due";
  // A rank of 1 is the last that the buffer of 1 lets it scan.
  merging.one.layer->after_update(2, merging.editor);
  EXPECT_EQ(merging.editor.last_rank, 1);
  Merging wide("inrank", "r=1,buffer=3,max_rank=7,start_steps=0,check_steps=2,growth_steps=0,threshold=1",
               false);
  const at::Tensor old_rows = wide.parameter("factor_A.weight").value.clone();
  wide.one.layer->after_update(2, wide.editor);
  EXPECT_EQ(wide.editor.last_rank, 3);
  const at::Tensor grown = wide.parameter("factor_A.weight").value;
  EXPECT_EQ(grown.size(0), 6);
  EXPECT_TRUE(at::equal(grown.slice(0, 0, 4), old_rows)) << "old rows stay";
}

// The norm that an update has trained lives until the next update, which starts from the weight's norm.
TEST(ReleasedGradNormLoRp, NormsLiveForOneUpdate) {
  Merging merging("gradnormlorp", "variant=released", false);
  merging.one.layer->initialize(1);
  Parameter &weight = merging.parameter("up_proj.weight"), &norm = merging.parameter("weight_norm");
  const at::Tensor first = weight.value.norm(2, {1});
  EXPECT_TRUE(at::equal(norm.value, first));
  weight.value.mul_(2);
  norm.value.add_(0.5);
  merging.one.layer->after_update(1, merging.editor);
  EXPECT_TRUE(at::allclose(norm.value, first + 0.5));
  norm.value.sub_(0.25);
  merging.one.layer->after_update(2, merging.editor);
  EXPECT_TRUE(at::allclose(norm.value, 2 * first - 0.25)) << "0.5 is forgotten";
  EXPECT_TRUE(at::allclose(merging.one.layer->merged_weight().norm(2, {1}), norm.value));
}

}  // namespace
}  // namespace galore
