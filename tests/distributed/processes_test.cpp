// Several processes write the files of one process, and a run goes on with another number of processes.
#include "resume/program.h"

namespace galore {
namespace {

class Processes : public ProgramTest {
 protected:
  static Settings sums() { return {"total_batch_size=32", "reduction_groups=8", "save_strategy=steps"}; }

  int run_on(int processes, const std::string& name, Settings settings) const {
    const Settings own = sums();
    settings.insert(settings.end(), own.begin(), own.end());
    settings.push_back(output(name));
    settings.push_back("nproc_per_node=" + std::to_string(processes));
    Program program(command(settings));
    const int status = program.wait();
    EXPECT_EQ(status, 0) << program.errors();
    return status;
  }

  // Returns the trainer's state without the name of its folder.
  nlohmann::json state_of(const Path& checkpoint) const {
    auto state = nlohmann::json::parse(file_text(checkpoint / kTrainerStateName));
    state.at("stateful_callbacks").at("galore").at("settings").erase("output_dir");
    return state;
  }

  void expect_equal_checkpoints(const std::string& name, const std::string& other, int64_t step) const {
    const Path own = checkpoint_path(folder_ / name, step), expected = checkpoint_path(folder_ / other, step);
    for (const char* file : {"model.safetensors", "optimizer.safetensors", "config.json", "rng_state.json"})
      EXPECT_TRUE(file_text(own / file) == file_text(expected / file)) << name << " " << file;
    EXPECT_EQ(state_of(own).dump(1), state_of(expected).dump(1)) << name;
  }

  std::vector<double> losses(const std::string& name) const {
    std::vector<double> all;
    for (const auto& event : events(name, "step")) all.push_back(event.at("loss"));
    return all;
  }
};

TEST_F(Processes, WriteTheFilesOfOne) {
  for (const std::string layerwise : {"false", "true"}) {
    const Settings settings{"max_steps=5", "save_steps=5", "optim_layerwise=" + layerwise, eval_file(),
                            "eval_steps=2"};
    const std::string one = "one" + layerwise;
    ASSERT_EQ(run_on(0, one, settings), 0);
    for (const int processes : {2, 3}) {
      const std::string name = std::to_string(processes) + layerwise;
      ASSERT_EQ(run_on(processes, name, settings), 0);
      expect_equal_checkpoints(name, one, 5);
      EXPECT_EQ(weights(name), weights(one));
      EXPECT_EQ(losses(name), losses(one));
      EXPECT_EQ(events(name, "eval").size(), events(one, "eval").size());
    }
  }
}

// 75 rows are two updates of 8 micro-batches and one of 3, in which two of four processes have none. The
// second epoch begins with an update of its own.
TEST_F(Processes, EndEpochsLikeOne) {
  const Settings settings{"num_train_epochs=2", "save_steps=6", "exchange_dtype=bfloat16"};
  ASSERT_EQ(run_on(0, "one", settings), 0);
  ASSERT_EQ(run_on(4, "four", settings), 0);
  EXPECT_EQ(checkpoints("four"), (std::vector<int64_t>{6}));
  expect_equal_checkpoints("four", "one", 6);
}

// The options of the resumed runs name neither the groups nor the micro-batches of the first one.
TEST_F(Processes, GoOnWithAnotherNumber) {
  const Settings whole{"max_steps=6", "save_steps=2"};
  ASSERT_EQ(run_on(2, "whole", whole), 0);
  ASSERT_EQ(run_on(2, "run", {"max_steps=2", "save_steps=2"}), 0);
  const auto go_on = [&](const std::string& end, const std::string& processes) {
    Program program(command({output("run"), "max_steps=" + end, "save_steps=2", "resume_from_checkpoint=auto",
                             "nproc_per_node=" + processes}));
    EXPECT_EQ(program.wait(), 0) << program.errors();
  };
  go_on("4", "0");
  go_on("6", "3");
  EXPECT_EQ(weights("run"), weights("whole"));
  EXPECT_EQ(file_text(folder_ / "run" / "checkpoint-6" / "optimizer.safetensors"),
            file_text(folder_ / "whole" / "checkpoint-6" / "optimizer.safetensors"));
}

TEST_F(Processes, RefuseMoreThanTheGroupsOfTheCheckpoint) {
  ASSERT_EQ(run({output("run"), "max_steps=2", "save_steps=2"}), 0);
  Program program(command({output("run"), "max_steps=4", "resume_from_checkpoint=auto", "nproc_per_node=2"}));
  EXPECT_EQ(program.wait(), 2);
  EXPECT_NE(program.errors().find("reduction_groups=2 goes on"), std::string::npos) << program.errors();
}

}  // namespace
}  // namespace galore
