// Signals save a checkpoint and exit with 128 + n; other exit statuses and closed streams are tested too.
#include <cstdlib>

#include "program.h"

namespace galore {
namespace {

class ProgramSignals : public ProgramTest {};

TEST_F(ProgramSignals, SaveAndExitWith128AndTheSignal) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const std::string name = "run" + std::to_string(signal);
    Program program(command({output(name), "max_steps=100000"}));
    ASSERT_TRUE(program.wait_for("step 3/")) << program.errors();
    program.send(signal);
    EXPECT_EQ(program.wait(), 128 + signal) << program.errors();
    const auto saved = find_latest(folder_ / name);
    ASSERT_TRUE(saved.has_value());
    expect_loadable(*saved);
    EXPECT_EQ(hidden_entries(name), 0u);
    EXPECT_EQ(program.last_line().rfind("saved " + saved->string(), 0), 0u) << program.last_line();
    const std::string end = "max_steps=" + std::to_string(checkpoints(name).at(0) + 3);
    EXPECT_EQ(run({output(name), end, "resume_from_checkpoint=auto"}), 0);
    EXPECT_EQ(run({output(name + "whole"), end}), 0);
    EXPECT_EQ(weights(name), weights(name + "whole"));
  }
}

TEST_F(ProgramSignals, ExitStatuses) {
  const auto status_of = [&](const Settings& settings, std::string* line) {
    Program program(command(settings));
    const int status = program.wait();
    *line = program.last_line();
    EXPECT_EQ(std::count(program.errors().begin(), program.errors().end(), '\n'), 1) << program.errors();
    return status;
  };
  std::string line;
  EXPECT_EQ(status_of({output("a"), "learning_rat=1"}, &line), 2);
  EXPECT_EQ(line,
            "galore: [command line] unknown option 'learning_rat'; the nearest known one is 'learning_rate'");
  EXPECT_EQ(status_of({output("a"), "report_to=wandb"}, &line), 2);
  EXPECT_EQ(line, "galore: [report_to] expected none, tensorboard, jsonl, csv or all, given 'wandb'");
  EXPECT_EQ(status_of({output("a"), "train_file=/nowhere.bin"}, &line), 1);
  EXPECT_EQ(status_of({output("a"), "resume_from_checkpoint=true"}, &line), 1);
  EXPECT_EQ(line, "galore: [resume_from_checkpoint] there is no checkpoint in " + (folder_ / "a").string() +
                      "; auto begins a new run there");
}

// The first run computes with two threads; the resumed run uses one thread and reports the change.
TEST_F(ProgramSignals, AnotherNumberOfThreadsGoesOn) {
  ASSERT_EQ(run({output("run"), "max_steps=4", "save_steps=2", "threads=2"}), 0);
  ASSERT_EQ(run({output("two"), "max_steps=4", "threads=2",
                 "resume_from_checkpoint=" + (folder_ / "run" / "checkpoint-2").string()}),
            0);
  EXPECT_EQ(weights("two"), weights("run"));
  Program program(command({output("one"), "max_steps=4", "threads=1",
                           "resume_from_checkpoint=" + (folder_ / "run" / "checkpoint-2").string()}));
  EXPECT_EQ(program.wait(), 0);
  EXPECT_NE(program.errors().find("note: 2 threads computed until the checkpoint, 1 go on"),
            std::string::npos)
      << program.errors();
}

// Runs `line` with $RUN as the training of three updates, and returns the exit status of $RUN.
class ProgramStreams : public ProgramTest {
 protected:
  int status_of(const std::string& name, const std::string& line) const {
    std::string script = fmt::format("run() {{ OMP_WAIT_POLICY=passive '{}'", GALORE_PROGRAM);
    for (const std::string& argument : command({output(name), "max_steps=3"}))
      script += " '" + argument + "'";
    const Path status = folder_ / "status";
    script += fmt::format("; echo $? >'{}'; }}; {}", status.string(), line);
    EXPECT_EQ(std::system(script.c_str()), 0);
    return std::stoi(file_text(status));
  }
};

TEST_F(ProgramStreams, AClosedPipeOfTheLogLosesTheLogAlone) {
  EXPECT_EQ(status_of("run", "run 2>&1 >/dev/null | head -n 1 >/dev/null"), 0);
  EXPECT_EQ(events("run", "end").size(), 1u);
}

TEST_F(ProgramStreams, ClosedStreamsBecomeNoFiles) {
  EXPECT_EQ(status_of("run", "run >/dev/null 2>&- <&-"), 0);
  EXPECT_EQ(status_of("plain", "run >/dev/null 2>/dev/null"), 0);
  EXPECT_EQ(weights("run"), weights("plain"));
  EXPECT_EQ(events("run", "end").size(), 1u) << "each line of the log is JSON";
}

TEST_F(ProgramStreams, AResultThatCannotBeWrittenIsAFailure) {
  const std::string errors = (folder_ / "errors").string();
  for (const char* output : {">&-", ">/dev/full"}) {
    EXPECT_EQ(status_of("run", fmt::format("run {} 2>'{}'", output, errors)), 1) << output;
    EXPECT_NE(file_text(errors).find("galore: [stdout] the result could not be written: "), std::string::npos)
        << file_text(errors);
  }
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run" / "model.safetensors")) << "the model is there";
}

}  // namespace
}  // namespace galore
