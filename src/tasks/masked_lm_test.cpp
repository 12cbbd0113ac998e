// The random choices of masked language modelling.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/labels.h"
#include "core/test_folder.h"
#include "core/test_message.h"
#include "tasks/task.h"
#include "tokenizer/tokenizer.h"

namespace galore {
namespace {

class MaskedTaskTest : public testing::Test {
 protected:
  MaskedTaskTest() {
    nlohmann::json vocabulary, added = nlohmann::json::array();
    for (const std::string special : {"[PAD]", "[CLS]", "[MASK]"}) {
      const auto id = vocabulary.size();
      added.push_back({{"id", id}, {"content", special}, {"special", true}});
      vocabulary[special] = id;
    }
    for (int i = 3; i < 100; ++i) vocabulary["w" + std::to_string(i)] = i;
    write_file_atomically(
        folder_ / "tokenizer.json",
        nlohmann::json{{"added_tokens", added},
                       {"model", {{"type", "WordLevel"}, {"unk_token", "w3"}, {"vocab", vocabulary}}}}
            .dump());
    tokenizer_ = load_tokenizer(folder_ / "tokenizer.json");
    config_.vocab_size = 100;
  }
  // Returns a batch in which each token is a word and the first one of a row is special.
  Batch batch(int64_t rows, int64_t length) const {
    const at::Tensor ids = at::full({rows, length}, 50, at::kLong);
    ids.select(1, 0).fill_(1);
    Batch batch;
    batch.ids = ids.clone();
    batch.targets.labels = ids;
    return batch;
  }
  Batch drawn(Batch batch, const RowDraw& place) const {
    RowEncoding encoding{config_, tokenizer_.get()};
    find_task("masked_lm").draw(batch, encoding, place);
    return batch;
  }

  TestFolder folder_;
  ModelConfig config_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(MaskedTaskTest, ChoosesTheSharesOfBert) {
  const Batch given = batch(100, 201), masked = drawn(given, {7, 0, 0});
  const at::Tensor chosen = masked.targets.labels.ne(kIgnoredLabel), ids = masked.ids.masked_select(chosen);
  const auto count = static_cast<double>(ids.numel());
  EXPECT_EQ(masked.targets.count, ids.numel());
  // Four standard deviations of 20000 draws of 15 %, and of 3000 draws.
  EXPECT_NEAR(count / 20000, 0.15, 0.011);
  EXPECT_NEAR(ids.eq(2).sum().item<double>() / count, 0.8 + 0.1 / 100, 0.03);
  EXPECT_NEAR(ids.eq(50).sum().item<double>() / count, 0.1 + 0.1 / 100, 0.03);
  EXPECT_TRUE(masked.targets.labels.masked_select(chosen).eq(50).all().item<bool>());
  EXPECT_TRUE(masked.ids.masked_select(chosen.logical_not())
                  .eq(given.ids.masked_select(chosen.logical_not()))
                  .all()
                  .item<bool>());
  EXPECT_FALSE(chosen.select(1, 0).any().item<bool>()) << "special tokens are not predicted";
}

TEST_F(MaskedTaskTest, DependsOnThePlaceOfARowAlone) {
  const Batch all = drawn(batch(4, 40), {7, 2, 10}), later = drawn(batch(2, 48), {7, 2, 12});
  EXPECT_TRUE(at::equal(all.ids.narrow(0, 2, 2), later.ids.narrow(1, 0, 40)));
  EXPECT_FALSE(at::equal(all.ids, drawn(batch(4, 40), {7, 3, 10}).ids)) << "another epoch";
  EXPECT_FALSE(at::equal(all.ids, drawn(batch(4, 40), {8, 2, 10}).ids)) << "another seed";
}

TEST_F(MaskedTaskTest, KeepsLabelsThatDoNotCount) {
  Batch given = batch(1, 40);
  given.targets.labels.fill_(kIgnoredLabel);
  const Batch masked = drawn(given, {});
  EXPECT_EQ(masked.targets.count, 0);
  EXPECT_TRUE(at::equal(masked.ids, given.ids));
}

TEST_F(MaskedTaskTest, NeedsAMaskToken) {
  Batch given = batch(1, 4);
  RowEncoding encoding{config_};
  EXPECT_TRUE(contains(message_of([&] { find_task("masked_lm").draw(given, encoding, {}); }), "mask token"));
}

}  // namespace
}  // namespace galore
