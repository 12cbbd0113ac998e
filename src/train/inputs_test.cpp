// Runs batches of a run's data through a model: padding and packing must not change the losses.
#include "train/inputs.h"

#include "data/data_test.h"
#include "train/test_run.h"

namespace galore {
namespace {

constexpr const char* kSizes = R"("vocab_size": 64, "hidden_size": 32, "intermediate_size": 48,
  "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2)";

class InputsTest : public TestRun {
 protected:
  InputsTest() {
    std::string rows;
    for (const int64_t length : {3, 10, 1, 20, 7, 5, 16, 12, 4}) rows += row(length, length);
    write_file_atomically(folder_ / "rows.jsonl", rows);
  }
  // Returns one row of the file. The first `masked` labels do not count.
  static std::string row(int64_t length, uint64_t seed, int64_t masked = -1) {
    nlohmann::json row;
    row["input_ids"] = tiny_tokens(length, seed);
    if (masked >= 0) {
      row["labels"] = row["input_ids"];
      for (int64_t i = 0; i < masked; ++i) row["labels"][static_cast<size_t>(i)] = -100;
    }
    return row.dump() + "\n";
  }
  // Makes a model with random weights from these keys of config.json.
  void make_model(const std::string& keys) {
    write_file_atomically(folder_ / "tiny.json", "{" + keys + ", " + kSizes + "}");
    config_ = read_model_config(folder_ / "tiny.json");
    model_ = make_causal_lm(config_, {}, ledger_);
    model_->initialize(3);
  }
  TrainOptions options(const Settings& settings) const {
    TrainOptions options;
    OptionTable table;
    resolve_settings(settings, options, table);
    return options;
  }
  Evaluation evaluated(const TrainOptions& options) {
    return evaluate(*model_, find_task("causal_lm"), *open_eval_data(options, nullptr, config_, {}));
  }
  Settings settings(const Settings& more) const {
    return joined({"eval_file=" + (folder_ / "rows.jsonl").string(), "packing=false"}, more);
  }

  Ledger ledger_{at::kCPU};
  ModelConfig config_;
  std::unique_ptr<CausalLM> model_;
};

// The longest row has 20 tokens. Further positions change nothing, even if the model does not have them.
TEST_F(InputsTest, EvaluationDoesNotDependOnMaxLength) {
  for (const char* keys :
       {R"("model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 24)",
        R"("model_type": "llama", "max_position_embeddings": 24,
           "rope_scaling": {"rope_type": "dynamic", "factor": 4.0})"}) {
    make_model(keys);
    TrainOptions run = options(settings({"max_length=24"}));
    const Evaluation expected = evaluated(run);
    EXPECT_EQ(expected.num_tokens, 2 + 9 + 0 + 19 + 6 + 4 + 15 + 11 + 3);
    run.max_length = 500;
    const Evaluation longer = evaluated(run);
    EXPECT_EQ(longer.value("eval_loss"), expected.value("eval_loss")) << keys;
    EXPECT_EQ(longer.num_tokens, expected.num_tokens);
  }
}

TEST_F(InputsTest, PaddingDoesNotChangeTheLossOfARow) {
  make_model(R"("model_type": "llama", "max_position_embeddings": 64)");
  const Evaluation alone = evaluated(options(settings({"max_length=64", "per_device_eval_batch_size=1"})));
  for (const char* rows : {"2", "9"}) {
    const Evaluation together =
        evaluated(options(settings({"max_length=64", std::string("per_device_eval_batch_size=") + rows})));
    EXPECT_EQ(together.num_tokens, alone.num_tokens);
    // Products of other sizes may sum in another order, which changes a few units of the 24th bit.
    EXPECT_NEAR(together.value("eval_loss") / alone.value("eval_loss"), 1, 1e-6);
  }
}

// Examples that share a row see only themselves, so the loss equals the loss with one example per row.
TEST_F(InputsTest, IsolatedExamplesGiveTheLossOfOneARow) {
  write_file_atomically(folder_ / "labels.jsonl", row(10, 1, 4) + row(6, 2, 0) + row(8, 3, 7));
  const auto loss = [&](const char* file, const char* packing) {
    const Evaluation result =
        evaluated(options({"eval_file=" + (folder_ / file).string(), "max_length=64", packing}));
    return std::pair(result.value("eval_loss"), result.num_tokens);
  };
  for (const char* keys :
       {R"("model_type": "llama", "max_position_embeddings": 64)",
        R"("model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64)"}) {
    make_model(keys);
    const auto apart = loss("rows.jsonl", "packing=false"), isolated = loss("rows.jsonl", "packing=isolated");
    EXPECT_EQ(isolated.second, apart.second);
    EXPECT_NEAR(isolated.first / apart.first, 1, 1e-6) << keys;  // fp32 sums in another order
    EXPECT_GT(std::abs(loss("rows.jsonl", "packing=true").first / apart.first - 1), 1e-4)
        << "joined documents see each other";
    // Rows with labels are isolated even if the options do not ask for it.
    const auto masked = loss("labels.jsonl", "packing=false"), packed = loss("labels.jsonl", "packing=true");
    EXPECT_EQ(packed.second, masked.second);
    EXPECT_NEAR(packed.first / masked.first, 1, 1e-6) << keys;
  }
}

TEST_F(InputsTest, MaskedRowsLearnNothingMore) {
  write_file_atomically(folder_ / "labels.jsonl", row(10, 1, 4) + row(6, 2, 0) + row(8, 3, 7));
  const TrainResult result = train({output("run"), "train_file=" + (folder_ / "labels.jsonl").string(),
                                    "packing=false", "per_device_train_batch_size=3", "max_steps=1"});
  EXPECT_EQ(result.tokens_seen, 6 + 5 + 1);
}

class TokenizerWithoutEnd : public ByteTokenizer {
 public:
  std::optional<int64_t> eos_id() const override { return std::nullopt; }
};

TEST(EndOfText, ComesFromTheTokenizerOrTheModelsFiles) {
  const ByteTokenizer bytes;
  const TokenizerWithoutEnd without;
  ModelConfig config;
  config.vocab_size = 300;
  config.eos_token_id = 2;  // an architecture's default, which no file names
  EXPECT_EQ(end_of_text(&bytes, config), 257);
  EXPECT_EQ(end_of_text(&without, config), std::nullopt);
  config.generation_source = R"({"eos_token_id": [7, 8]})";
  EXPECT_EQ(end_of_text(&without, config), 7);
  config.source = R"({"eos_token_id": 5})";
  EXPECT_EQ(end_of_text(&without, config), 5);
  config.source = R"({"eos_token_id": null})";
  EXPECT_EQ(end_of_text(&without, config), 7);
  config.source = R"({"eos_token_id": 300})";
  EXPECT_EQ(end_of_text(&without, config), 7) << "an id outside the vocabulary";
  EXPECT_EQ(end_of_text(&bytes, config), 257);
}

// Rows of the file are "a" and "bcdef" as text, and two rows of ids, one of them with labels.
TEST_F(InputsTest, UnpackedTextEndsWithEos) {
  make_model(R"("model_type": "llama", "max_position_embeddings": 64)");
  config_.vocab_size = 258;
  write_file_atomically(folder_ / "text.jsonl",
                        "{\"text\":\"a\"}\n{\"text\":\"bcdef\"}\n{\"input_ids\":[1,2]}\n");
  const ByteTokenizer tokenizer;
  const auto last_ids = [&](const Settings& more) {
    const Settings same{"eval_file=" + (folder_ / "text.jsonl").string(), "max_length=6",
                        "per_device_eval_batch_size=1", "cache_dir=" + (folder_ / "cache").string()};
    const auto data = open_eval_data(options(joined(same, more)), &tokenizer, config_, {});
    std::vector<int64_t> last;
    while (const auto batch = data->next()) last.push_back(batch->ids[0][-1].item<int64_t>());
    return last;
  };
  const std::vector<int64_t> ended{257, 'f', 2}, plain{'a', 'f', 2};  // "bcdef" leaves no room for an end
  EXPECT_EQ(last_ids({"packing=false"}), ended);
  EXPECT_EQ(last_ids({"packing=false", "append_eos=false"}), plain);
  EXPECT_EQ(last_ids({"packing=isolated"}).front(), 257) << "packed rows of ids are separated";
  EXPECT_EQ(last_ids({"packing=isolated", "append_eos=false"}).front(), 2);
}

// Files of the working directory belong to no model.
TEST(Inputs, OfARunWithoutAModelFolderAreNotThoseOfTheWorkingDirectory) {
  const TestFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_file_atomically("tokenizer.json", "no tokenizer");
  write_file_atomically("config.json", "no configuration");
  EXPECT_EQ(tokenizer_of({}), nullptr);
  TrainOptions options;
  OptionTable table;
  declare_options(table, options);
  table.set("test", "model_size", "60m");
  resolve(options, table);
  std::filesystem::current_path(before);
  EXPECT_EQ(options.task, "causal_lm");
}

}  // namespace
}  // namespace galore
