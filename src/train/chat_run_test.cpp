// Runs on instruction data and on preferences.
#include <gtest/gtest.h>

#include <cmath>

#include "train/inputs.h"
#include "train/reference_scores.h"
#include "train/test_chat_run.h"

namespace galore {
namespace {

TEST_F(ChatRun, LearnsTheAssistantsTokensOnly) {
  std::string text;
  for (int i = 0; i < 16; ++i) text += conversation(std::string(1, static_cast<char>('a' + i)), "yes");
  const std::string file = rows("train.jsonl", text);
  const TrainResult result =
      train(chat({"stage=sft", "train_file=" + file, "eval_file=" + file, "max_steps=60", "packing=false",
                  "learning_rate=0.01", output("sft")}));
  // The answer is always the same, but the messages of the user cannot be foreseen.
  EXPECT_LT(result.evaluation->value("eval_loss"), 0.1);
  EXPECT_EQ(result.evaluation->num_tokens, 16 * 3);
}

TEST_F(ChatRun, AnswersBeyondTheLengthAreAnError) {
  const std::string file = rows("long.jsonl", conversation(std::string(40, 'a'), "no"));
  EXPECT_NE(message_of([&] {
              train(chat({"stage=sft", "train_file=" + file, "max_steps=1", "max_length=20", output("x")}));
            }).find("no row has a label that counts"),
            std::string::npos);
}

TEST_F(ChatRun, RowsThatAreCutBeforeTheAnswerAreLeftOut) {
  const std::string kept = conversation("a", "yes"), cut = conversation(std::string(40, 'b'), "no");
  const auto loss_of = [&](const std::string& name, const std::string& text) {
    return train(chat({"stage=sft", "train_file=" + rows(name + ".jsonl", text), "max_steps=1",
                       "packing=false", "max_length=20", "per_device_train_batch_size=2", output(name)}))
        .last_loss;
  };
  EXPECT_EQ(loss_of("some", kept + cut + cut + cut), loss_of("none", kept));
  EXPECT_NE(log_.find("left out 3 of 4 rows of"), std::string::npos) << log_;
}

// Whoever reads the folder renders conversations as the run did.
TEST_F(ChatRun, AFileOfATemplateIsSavedWithTheModel) {
  const std::string text =
      "{% for m in messages %}>{{ m.content }}{% endfor %}"
      "{% if add_generation_prompt %}>{% endif %}";
  const Settings settings = chat({"stage=sft", "train_file=" + rows("one.jsonl", conversation("ab", "cd")),
                                  "chat_template=" + rows("mine.jinja", text), "max_steps=1"});
  train(joined(settings, {output("full")}));
  train(joined(settings, {"adapter=lora", output("adapter")}));
  for (const char* folder : {"full", "adapter"})
    EXPECT_EQ(file_text(folder_ / folder / "chat_template.jinja"), text) << folder;
  // The base model has no tokenizer, and the adapter's folder has one.
  ModelSource source;
  source.model_name_or_path = folder_.path().string();
  source.adapter_name_or_path = (folder_ / "adapter").string();
  EXPECT_NE(tokenizer_of(source), nullptr);
}

TEST_F(ChatRun, PreferencesStartAtTheReferenceAndGrow) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += preference(std::string(1, static_cast<char>('a' + i)), "good", "bad");
  const std::string file = rows("pairs.jsonl", text);
  for (const char* loss : {"sigmoid", "ipo"}) {
    const Settings settings = chat({"task=dpo", std::string("dpo_loss=") + loss, "train_file=" + file,
                                    "eval_file=" + file, "learning_rate=0.003"});
    Settings none = settings, some = settings;
    none.insert(none.end(), {"max_steps=0", output(std::string("none") + loss)});
    some.insert(some.end(), {"max_steps=20", output(std::string("some") + loss)});
    const TrainResult before = train(none), after = train(some);
    // A model that is its own reference has no preference: -log sigmoid(0), or (0 - 1 / (2 beta))^2.
    const double start = loss == std::string("ipo") ? 25 : std::log(2.0);
    EXPECT_NEAR(before.evaluation->value("eval_loss"), start, 1e-4 * start);
    EXPECT_LT(after.evaluation->value("eval_loss"), 0.9 * start);
    EXPECT_EQ(after.evaluation->value("eval_pair_accuracy"), 1);
  }
}

// A row holds both answers, each with positions of its own. A model's table needs those of one answer.
TEST_F(ChatRun, PreferencesNeedThePositionsOfOneAnswer) {
  write_file_atomically(folder_ / "gpt2.json", R"({"model_type": "gpt2", "vocab_size": 64, "n_embd": 32,
      "n_layer": 1, "n_head": 2, "n_positions": 16, "resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0})");
  const std::string file = rows("pairs.jsonl", preference("abcdef", "ghijklmn", "opqrstuv"));
  const TrainResult result =
      train(chat({"config_name=" + (folder_ / "gpt2.json").string(), "task=dpo", "train_file=" + file,
                  "max_length=16", "max_steps=1", output("run")}));
  EXPECT_NEAR(result.last_loss, std::log(2.0), 1e-4);
}

// TRL, too, leaves the last message of equal answers out of the prompt.
TEST_F(ChatRun, EqualAnswersAreAPair) {
  const auto messages = nlohmann::json::parse(conversation("ab", "cd"))["messages"];
  const std::string file =
      rows("equal.jsonl", nlohmann::json{{"chosen", messages}, {"rejected", messages}}.dump() + "\n");
  const TrainResult result = train(chat({"task=dpo", "train_file=" + file, "max_steps=1", output("equal")}));
  EXPECT_NEAR(result.last_loss, std::log(2.0), 1e-4);
}

TEST_F(ChatRun, PreferencesAreForTokens) {
  const std::string file = rows("pairs.jsonl", preference("a", "b", "c"));
  EXPECT_NE(message_of([&] {
              train(chat({"task=dpo", "z_loss=1e-4", "train_file=" + file, output("x")}));
            }).find("[z_loss]"),
            std::string::npos);
}

TEST_F(ChatRun, NoiseOnEmbeddingsIsOfTheTrainingOnly) {
  const auto loss_with = [&](const std::string& alpha, const std::string& steps) {
    return train({"neftune_noise_alpha=" + alpha, "max_steps=" + steps, eval_file(),
                  output("noise" + alpha + steps)})
        .evaluation->value("eval_loss");
  };
  EXPECT_EQ(loss_with("none", "0"), loss_with("5", "0"));
  EXPECT_NE(loss_with("none", "2"), loss_with("5", "2"));
  EXPECT_EQ(loss_with("none", "2"), loss_with("0", "2"));
}

}  // namespace
}  // namespace galore
