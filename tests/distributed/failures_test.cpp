// A process that fails ends all of them within seconds, with one line that names it.
#include <csignal>
#include <fstream>

#include "core/clock.h"
#include "resume/program.h"

namespace galore {
namespace {

class ProcessFailures : public ProgramTest {
 protected:
  Settings endless() const {
    return {output("run"), "max_steps=100000", "nproc_per_node=3", "save_strategy=steps", "save_steps=5"};
  }
  // Returns the processes that `program` has started, by rank.
  static std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> children;
    std::ifstream list(fmt::format("/proc/{0}/task/{0}/children", parent));
    for (pid_t child = 0; list >> child;) children.push_back(child);
    EXPECT_EQ(children.size(), 3u);
    children.resize(3);
    return children;
  }
  void expect_a_good_checkpoint() const {
    const auto latest = find_latest(folder_ / "run");
    ASSERT_TRUE(latest.has_value());
    expect_loadable(*latest);
  }
};

TEST_F(ProcessFailures, AKilledProcessEndsTheOthersAndIsNamed) {
  for (const size_t victim : {0u, 2u}) {
    Program program(command(endless()));
    ASSERT_TRUE(program.wait_for("checkpoint-10")) << program.errors();
    const auto children = children_of(program.pid());
    const double start = steady_seconds();
    ASSERT_GT(children[victim], 0);
    ::kill(children[victim], SIGKILL);
    // On a busy machine the others may end before the launcher looks.
    const int status = program.wait();
    EXPECT_TRUE(status == 128 + SIGKILL || status == 1) << program.errors();
    EXPECT_LT(steady_seconds() - start, 15);  // 0.1 s on a quiet machine
    const std::string line = fmt::format("rank {} (host ", victim);
    EXPECT_NE(program.errors().find(line), std::string::npos) << program.errors();
    EXPECT_NE(program.errors().find("is gone: its process has ended; update "), std::string::npos)
        << program.errors();
    expect_a_good_checkpoint();
    std::filesystem::remove_all(folder_ / "run");
  }
}

TEST_F(ProcessFailures, AFrozenProcessEndsTheOthers) {
  Settings settings = endless();
  settings.push_back("heartbeat_timeout=2");
  Program program(command(settings));
  ASSERT_TRUE(program.wait_for("step 2/")) << program.errors();
  const auto children = children_of(program.pid());
  ASSERT_GT(children[1], 0);
  ::kill(children[1], SIGSTOP);
  EXPECT_TRUE(program.wait_for("rank 1 (host ", 20)) << program.errors();
  EXPECT_TRUE(program.wait_for("is gone: it was silent for", 20)) << program.errors();
  ::kill(children[1], SIGCONT);
  EXPECT_EQ(program.wait(), 1);
}

// A loss that is not finite is the same for all processes.
TEST_F(ProcessFailures, AStoppedRunNamesItsCheckpoint) {
  Settings settings = endless();
  settings.insert(settings.end(), {"learning_rate=1e9", "weight_decay=1e6", "optim=sgd", "optim_args="});
  Program program(command(settings));
  EXPECT_EQ(program.wait(), 1);
  EXPECT_NE(program.errors().find("galore: [train] step "), std::string::npos) << program.errors();
  EXPECT_NE(program.errors().find("the last checkpoint is none"), std::string::npos) << program.errors();
}

TEST_F(ProcessFailures, ASignalToOneSavesAndStopsAll) {
  Program program(command(endless()));
  ASSERT_TRUE(program.wait_for("step 3/")) << program.errors();
  const auto children = children_of(program.pid());
  ASSERT_GT(children[1], 0);
  ::kill(children[1], SIGTERM);
  EXPECT_EQ(program.wait(), 128 + SIGTERM) << program.errors();
  const auto saved = find_latest(folder_ / "run");
  ASSERT_TRUE(saved.has_value());
  expect_loadable(*saved);
}

TEST_F(ProcessFailures, WrongOptionsAreReportedOnce) {
  Settings settings = endless();
  settings.push_back("reduction_groups=2");
  Program program(command(settings));
  EXPECT_EQ(program.wait(), 2);
  EXPECT_EQ(std::count(program.errors().begin(), program.errors().end(), '\n'), 1) << program.errors();
}

}  // namespace
}  // namespace galore
