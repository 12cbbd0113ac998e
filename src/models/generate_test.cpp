#include "models/generate.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/errors.h"

namespace galore {
namespace {

// Probabilities 0.4, 0.3, 0.2, 0.1 of the ids 2, 0, 3, 1.
at::Tensor some_logits() { return at::tensor({0.3, 0.1, 0.4, 0.2}, at::kDouble).log().to(at::kFloat) + 5; }

std::vector<int64_t> ids_of(const std::vector<Candidate>& candidates) {
  std::vector<int64_t> ids;
  for (const Candidate& candidate : candidates) ids.push_back(candidate.id);
  return ids;
}

TEST(Sampling, EachOptionLeavesWhatItSays) {
  const auto ids = [](const GenerateOptions& options) {
    return ids_of(sampling_candidates(some_logits(), {}, options));
  };
  GenerateOptions options;
  EXPECT_EQ(ids(options), (std::vector<int64_t>{2, 0, 3, 1}));
  options.top_k = 3;
  EXPECT_EQ(ids(options), (std::vector<int64_t>{2, 0, 3}));
  options.top_p = 0.7;  // the shares among the three are 4/9, then 7/9 in sum
  EXPECT_EQ(ids(options), (std::vector<int64_t>{2, 0}));
  options = {};
  options.min_p = 0.6;
  EXPECT_EQ(ids(options), (std::vector<int64_t>{2, 0}));
  options.temperature = 0.5;  // squares the probabilities
  EXPECT_EQ(ids(options), (std::vector<int64_t>{2}));
  // The terms -p log p are 0.367, 0.361, 0.322 and 0.230, together 1.280.
  for (const auto& [top_h, count] :
       {std::pair(0.1, 1), {0.56, 1}, {0.58, 2}, {0.8, 2}, {0.83, 3}, {1.0, 4}}) {
    options = {};
    options.top_h = top_h;
    EXPECT_EQ(ids(options).size(), count) << top_h;
  }
  options.top_k = 3;
  EXPECT_EQ(ids(options), (std::vector<int64_t>{2, 0, 3}));
  options = {};
  options.top_k = 0;
  options.temperature = 0.5;
  EXPECT_NEAR(sampling_candidates(some_logits(), {}, options)[1].probability, 0.09 / 0.3, 1e-6);
}

TEST(Sampling, RepetitionPenalty) {
  GenerateOptions options;
  options.repetition_penalty = 2;
  const at::Tensor logits = at::tensor({2.0f, -1.0f, 1.5f, -1.5f});
  // 2 becomes 1; -1 becomes -2, however often the token occurred.
  EXPECT_EQ(ids_of(sampling_candidates(logits, {0, 1, 1}, options)), (std::vector<int64_t>{2, 0, 3, 1}));
  EXPECT_EQ(logits[0].item<float>(), 2);
}

// A model that predicts t + 1 after token t, and counts how often it was called.
class Counting : public CausalLM {
 public:
  class Cache : public KeyValueCache {
   public:
    int64_t length() const override { return 0; }
  };
  const ModelConfig& config() const override { return config_; }
  ParameterList parameters() override { return {}; }
  void initialize(uint64_t) override {}
  LossSum train_step(const Batch&, double) override { return {}; }
  LossSum evaluate(const Batch&, Predictions*) override { return {}; }
  at::Tensor logits(const at::Tensor&) override { return {}; }
  std::unique_ptr<KeyValueCache> new_cache(int64_t) override { return std::make_unique<Cache>(); }
  at::Tensor next_logits(const at::Tensor& ids, KeyValueCache&) override {
    ++asked;
    at::Tensor logits = at::zeros({16});
    logits[(ids[-1].item<int64_t>() + 1) % 16] = 3;
    return logits;
  }
  int asked = 0;

 private:
  ModelConfig config_;
};

TEST(Generate, EndsWhereItShould) {
  Counting model;
  GenerateOptions options;
  options.max_new_tokens = 5;
  EXPECT_EQ(generate(model, {1, 2}, options), (std::vector<int64_t>{3, 4, 5, 6, 7}));
  options.stop_ids = {9, 5};
  EXPECT_EQ(generate(model, {2}, options), (std::vector<int64_t>{3, 4, 5}));
  EXPECT_EQ(generate(model, {2}, options, [](int64_t id) { return id != 4; }), (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(model.asked, 5 + 3 + 2);
  EXPECT_THROW(generate(model, {}, options), Error);
}

TEST(Generate, SeedsRepeatAndDiffer) {
  Counting model;
  GenerateOptions options;
  options.do_sample = true;
  const auto first = generate(model, {1}, options);
  EXPECT_EQ(generate(model, {1}, options), first);
  options.seed = 43;
  EXPECT_NE(generate(model, {1}, options), first);
  options.temperature = 0;
  const auto cold = generate(model, {1}, options);
  options.do_sample = false;
  EXPECT_EQ(cold, generate(model, {1}, options)) << "temperature 0 takes the most probable token";
}

// Decodes one byte per token, as byte-level tokenizers do. A character that lacks bytes becomes U+FFFD.
std::string decode_bytes(const std::vector<int64_t>& ids) {
  std::string text;
  for (const int64_t id : ids) text += static_cast<char>(id);
  const bool is_cut = !text.empty() && static_cast<unsigned char>(text.back()) == 0xc3;
  return is_cut ? text.substr(0, text.size() - 1) + "\xef\xbf\xbd" : text;
}

TEST(TextStream, GivesTheTextOfNewTokensAlone) {
  TextStream stream(decode_bytes, {'a', 'b'});
  EXPECT_EQ(stream.add('c'), "c");
  EXPECT_EQ(stream.add('d'), "d");
}

TEST(TextStream, WaitsForTheOtherBytesOfACharacter) {
  TextStream stream(decode_bytes, {'a'});
  EXPECT_EQ(stream.add(0xc3), "");
  EXPECT_EQ(stream.add(0xa4), "\xc3\xa4");
  EXPECT_EQ(stream.add('b'), "b");
}

}  // namespace
}  // namespace galore
