#include "checkpoint/state_files.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/errors.h"
#include "core/test_folder.h"

namespace galore {
namespace {

struct Part {
  at::Tensor moment = at::rand({3, 4}), codes = at::arange(5).to(at::kByte), lazy;
  int64_t step = (int64_t{1} << 60) + 1;
  double norm = 0.1;
  void visit(StateVisitor& visitor) {
    visitor.tensor("w.moment", moment);
    visitor.tensor("w.codes", codes);
    visitor.tensor("w.lazy", lazy);
    visitor.scalar("w.step", step);
    visitor.scalar("w.norm", norm);
  }
};

TEST(StateFiles, RoundTripIsExactAndInPlace) {
  const TestFolder folder;
  Part saved, loaded;
  saved.moment[0][0] = NAN;
  StateWriter writer;
  saved.visit(writer);
  writer.write(folder / "optimizer.safetensors");
  loaded.step = 0, loaded.norm = 0;
  const void* place = loaded.moment.data_ptr();
  StateReader reader(folder / "optimizer.safetensors");
  loaded.visit(reader);
  reader.finish();
  EXPECT_EQ(loaded.moment.data_ptr(), place);
  EXPECT_TRUE(at::equal(loaded.moment.view(at::kInt), saved.moment.view(at::kInt)));
  EXPECT_TRUE(at::equal(loaded.codes, saved.codes));
  EXPECT_FALSE(loaded.lazy.defined());
  EXPECT_EQ(loaded.step, saved.step);
  EXPECT_EQ(loaded.norm, saved.norm);
}

TEST(StateFiles, UndefinedBecomesTheStoredOne) {
  const TestFolder folder;
  Part saved, loaded;
  saved.lazy = at::ones({2});
  StateWriter writer;
  saved.visit(writer);
  writer.write(folder / "s");
  StateReader reader(folder / "s");
  loaded.visit(reader);
  reader.finish();
  EXPECT_TRUE(at::equal(loaded.lazy, saved.lazy));
}

TEST(StateFiles, DifferencesAreNamed) {
  const TestFolder folder;
  Part saved, loaded;
  StateWriter writer;
  saved.visit(writer);
  writer.write(folder / "s");
  StateReader partial(folder / "s");
  int64_t other = 5;
  partial.scalar("w.other", other);
  EXPECT_EQ(other, 5);
  EXPECT_EQ(partial.missing(), std::vector<std::string>{"w.other"});
  EXPECT_EQ(partial.unused().size(), 4u);
  EXPECT_THROW(partial.finish(), Error);
  StateReader unfinished(folder / "s");
  EXPECT_THROW(unfinished.finish(), Error);
  loaded.moment = at::rand({4, 3});
  StateReader misshapen(folder / "s");
  EXPECT_THROW(loaded.visit(misshapen), Error);
  loaded.moment = at::rand({3, 4}, at::kDouble);  // state is never converted silently
  StateReader other_dtype(folder / "s");
  EXPECT_THROW(loaded.visit(other_dtype), Error);
}

TEST(StateFiles, DuplicateNameIsRefused) {
  const TestFolder folder;
  Part part;
  StateWriter writer;
  part.visit(writer);
  part.visit(writer);
  EXPECT_THROW(writer.write(folder / "s"), Error);
}

TEST(StateFiles, TrainerState) {
  const TestFolder folder;
  TrainerState state;
  state.global_step = 120, state.max_steps = 1000, state.epoch = 0.12;
  state.best_metric = 3.25, state.best_model_checkpoint = "out/checkpoint-100";
  state.log_history = {{{"loss", 5.5}, {"epoch", 0.1}, {"step", 100}}, {{"grad_norm", INFINITY}}};
  state.counters = {{"tokens", int64_t{1} << 55}};
  state.numbers = {{"seconds", 1.5}};
  state.settings = {{"optim", "galore_adamw"}};
  write_trainer_state(folder / "t.json", state);
  const std::string text = read_file(folder / "t.json");
  EXPECT_NE(text.find("\"step\": 100\n"), std::string::npos);
  const TrainerState read = read_trainer_state(folder / "t.json");
  EXPECT_EQ(read.global_step, 120);
  EXPECT_EQ(read.max_steps, 1000);
  EXPECT_EQ(read.epoch, 0.12);
  EXPECT_EQ(read.best_metric, 3.25);
  EXPECT_EQ(read.best_model_checkpoint, state.best_model_checkpoint);
  ASSERT_EQ(read.log_history.size(), 2u);
  EXPECT_EQ(read.log_history[0], state.log_history[0]);
  EXPECT_TRUE(std::isnan(read.log_history[1][0].second));
  EXPECT_EQ(read.counters, state.counters);
  EXPECT_EQ(read.numbers, state.numbers);
  EXPECT_EQ(read.settings, state.settings);
}

TEST(StateFiles, ForeignTrainerState) {
  const TestFolder folder;
  write_file_atomically(folder / "t.json",
                        R"({"global_step":7,"max_steps":9,"epoch":1.0,"best_metric":null,"log_history":[],
                            "stateful_callbacks":{"Other":{}},"total_flos":1e12})");
  EXPECT_EQ(read_trainer_state(folder / "t.json").global_step, 7);
  for (const char* text :
       {"", "{}", "[]", R"({"global_step":"7","max_steps":9})", R"({"global_step":-7,"max_steps":9})",
        R"({"global_step":1.5,"max_steps":9})", R"({"global_step":7,"max_steps":9,"log_history":{}})",
        R"({"global_step":7,"max_steps":9,"log_history":[1]})",
        R"({"global_step":7,"max_steps":9,"best_metric":"x"})",
        R"({"global_step":7,"max_steps":9,"stateful_callbacks":{"galore":{}}})"}) {
    write_file_atomically(folder / "t.json", text);
    EXPECT_THROW(read_trainer_state(folder / "t.json"), Error) << text;
  }
}

TEST(StateFiles, RngState) {
  const TestFolder folder;
  const std::map<std::string, uint64_t> values{{"seed", UINT64_MAX}, {"data_seed", 3}};
  write_rng_state(folder / "r.json", values);
  const auto written = nlohmann::json::parse(read_file(folder / "r.json"));
  EXPECT_EQ((written.get<std::map<std::string, uint64_t>>()), values);
}

}  // namespace
}  // namespace galore
