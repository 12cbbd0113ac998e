// Examples that share a row have the losses and gradients of one example a row, and their runs resume.
#include "train/test_run.h"

namespace galore {
namespace {

struct PackedModel {
  const char* name;
  const char* keys;
};

// Without dropout, which draws other masks for a token at another place.
constexpr PackedModel kModels[] = {
    {"llama", R"("model_type": "llama", "max_position_embeddings": 64)"},
    {"window", R"("model_type": "mistral", "max_position_embeddings": 64, "sliding_window": 6)"},
    {"gpt2", R"("model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64,
                   "embd_pdrop": 0, "resid_pdrop": 0, "attn_pdrop": 0)"}};

class IsolatedExamples : public TestRun, public testing::WithParamInterface<PackedModel> {
 protected:
  IsolatedExamples() {
    write_file_atomically(folder_ / "tiny.json", std::string("{") + GetParam().keys +
                                                     R"(, "vocab_size": 64, "hidden_size": 32,
      "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2})");
    std::string rows;
    for (const int64_t length : {3, 10, 1, 20, 7, 5, 16, 12, 4}) {  // 78 tokens: two rows of 64
      nlohmann::json row;
      row["input_ids"] = tiny_tokens(length, static_cast<uint64_t>(length));
      row["labels"] = row["input_ids"];
      for (int64_t i = 0; i < length / 3; ++i) row["labels"][static_cast<size_t>(i)] = -100;
      rows += row.dump() + "\n";
    }
    write_file_atomically(folder_ / "rows.jsonl", rows);
  }
  // One update by all rows.
  TrainResult run(const std::string& name, const std::string& packing, int64_t batch_size) {
    return train({output(name), "packing=" + packing, "train_file=" + (folder_ / "rows.jsonl").string(),
                  "max_length=64", "per_device_train_batch_size=" + std::to_string(batch_size), "max_steps=1",
                  "grad_norm=exact"});
  }
};

TEST_P(IsolatedExamples, AreTrainedAsOneARow) {
  const TrainResult alone = run("alone", "false", 9);
  const double norm = events("alone", "step").at(0).at("grad_norm");
  for (const char* packing : {"isolated", "true"}) {
    const TrainResult packed = run(packing, packing, 2);
    EXPECT_EQ(packed.tokens_seen, alone.tokens_seen);
    // Sums in fp32 run in another order: some units of the 24th bit.
    EXPECT_NEAR(packed.last_loss / alone.last_loss, 1, 1e-6);
    EXPECT_NEAR(events(packing, "step").at(0).at("grad_norm").get<double>() / norm, 1, 1e-5);
  }
}

// Several batches an epoch, so that rows of several examples differ in length.
TEST_P(IsolatedExamples, ResumeToTheBit) {
  for (const char* streaming : {"streaming=false", "streaming=true"}) {
    const auto with = [&](const std::string& name, const std::string& from) {
      train({output(name), "train_file=" + (folder_ / "rows.jsonl").string(), "max_length=24", "max_steps=7",
             "per_device_train_batch_size=2", "save_steps=3", "buffer_size=3", streaming,
             "resume_from_checkpoint=" + from});
    };
    const std::string whole = std::string("whole-") + streaming, rest = std::string("rest-") + streaming;
    with(whole, "false");
    with(rest, (folder_ / whole / "checkpoint-3").string());
    EXPECT_EQ(weights(whole), weights(rest));
    EXPECT_NE(weights(whole), weights(whole + "/checkpoint-3"));
  }
}

INSTANTIATE_TEST_SUITE_P(All, IsolatedExamples, testing::ValuesIn(kModels),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace galore
