// A process that fails ends all of them within seconds, with one line that names it.
#include <netinet/in.h>
#include <sys/socket.h>

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
  static std::vector<pid_t> started_by(pid_t parent) {
    std::vector<pid_t> children;
    std::ifstream list(fmt::format("/proc/{0}/task/{0}/children", parent));
    for (pid_t child = 0; list >> child;) children.push_back(child);
    return children;
  }
  static std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> children = started_by(parent);
    EXPECT_EQ(children.size(), 3u);
    children.resize(3);
    return children;
  }
  // Kills one process of the run, and expects that all of them end. On a busy machine the others may end
  // before the launcher looks.
  static void kill_and_expect_the_end(Program& program, pid_t victim) {
    ASSERT_GT(victim, 0);
    ::kill(victim, SIGKILL);
    const int status = program.wait();
    EXPECT_TRUE(status == 128 + SIGKILL || status == 1) << program.errors();
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
    kill_and_expect_the_end(program, children[victim]);
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
  // The launcher keeps the store that all ask.
  for (const bool launcher : {false, true}) {
    Program program(command(settings));
    ASSERT_TRUE(program.wait_for("step 2/")) << program.errors();
    const pid_t victim = launcher ? program.pid() : children_of(program.pid())[1];
    ASSERT_GT(victim, 0);
    ::kill(victim, SIGSTOP);
    const char* line = launcher ? "[distributed] the store did not answer for" : "is gone: it was silent for";
    EXPECT_TRUE(program.wait_for(line, 20)) << program.errors();
    EXPECT_TRUE(program.wait_for(launcher ? "rank 0 (host " : "rank 1 (host ", 20)) << program.errors();
    ::kill(victim, SIGCONT);
    EXPECT_EQ(program.wait(), 1);
    std::filesystem::remove_all(folder_ / "run");
  }
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

// Every update is saved and evaluated, so the kills meet both.
TEST_F(ProcessFailures, AKillInAnyPhaseLeavesAGoodCheckpoint) {
  Settings settings = endless();
  settings.insert(settings.end(), {eval_file(), "eval_steps=1", "save_steps=1", "save_total_limit=2"});
  for (const size_t victim : {0u, 1u, 2u}) {
    Program program(command(settings));
    ASSERT_TRUE(program.wait_for("checkpoint-2")) << program.errors();
    ::usleep(static_cast<useconds_t>(7000 * victim));
    const auto children = children_of(program.pid());
    kill_and_expect_the_end(program, children[victim]);
    EXPECT_TRUE(contains(program.errors(), fmt::format("rank {} (host ", victim))) << program.errors();
    for (const pid_t child : children) EXPECT_NE(::kill(child, 0), 0) << "an orphan";
    expect_a_good_checkpoint();
    std::filesystem::remove_all(folder_ / "run");
  }
}

TEST_F(ProcessFailures, AKillAtTheStartEndsTheOthers) {
  Settings settings = endless();
  settings.push_back("init_timeout=2");
  Program program(command(settings));
  std::vector<pid_t> children;
  while (children.size() < 3) children = started_by(program.pid());
  kill_and_expect_the_end(program, children[1]);
  // On a busy machine the others may be ended before they have noticed.
  EXPECT_TRUE(contains(program.errors(), fmt::format("rank 1 (pid {}) was ended by signal 9", children[1])))
      << program.errors();
}

TEST_F(ProcessFailures, AFullDiskOfTheFirstEndsAll) {
  ASSERT_EQ(run({output("size"), "max_steps=1", "save_steps=1"}), 0);
  const auto size = std::filesystem::file_size(folder_ / "size/checkpoint-1/optimizer.safetensors");
  Program program(command(endless()), size / 2);
  EXPECT_EQ(program.wait(), 1) << program.errors();
  EXPECT_TRUE(contains(program.errors(), "File too large")) << program.errors();
  EXPECT_TRUE(contains(program.errors(), "rank 1: [distributed] rank 0: ")) << program.errors();
}

// The variables of torchrun, for a process that a test starts by hand.
class ByHand : public ProcessFailures {
 protected:
  static Environment place(int rank, int port) {
    return {{"RANK", std::to_string(rank)},       {"WORLD_SIZE", "2"},
            {"LOCAL_RANK", std::to_string(rank)}, {"LOCAL_WORLD_SIZE", "2"},
            {"MASTER_ADDR", "127.0.0.1"},         {"MASTER_PORT", std::to_string(port)}};
  }
  // A port on which somebody listens who never answers.
  int taken_port() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    return ntohs(address.sin_port);
  }
  int free_port() {
    const int port = taken_port();
    ::close(listener_);
    return port;
  }
  Settings short_run() const { return {output("run"), "max_steps=2", "init_timeout=1"}; }

  int listener_ = -1;
};

TEST_F(ByHand, AMissingProcessIsNamed) {
  const int port = free_port();
  Program program(command(short_run()), {}, place(0, port));
  EXPECT_EQ(program.wait(), 1);
  EXPECT_EQ(program.last_line(), fmt::format("galore: [distributed] rank 1 of 2 did not come to 127.0.0.1:{} "
                                             "in 1 s",
                                             port));
}

TEST_F(ByHand, ATakenPortIsNamed) {
  const int port = taken_port();
  Program server(command(short_run()), {}, place(0, port)), client(command(short_run()), {}, place(1, port));
  EXPECT_EQ(server.wait(), 1);
  EXPECT_EQ(client.wait(), 1);
  const std::string where = fmt::format("127.0.0.1:{}", port);
  EXPECT_TRUE(contains(server.last_line(), "rank 0 of 2: no store at " + where)) << server.errors();
  EXPECT_TRUE(contains(client.last_line(), "rank 1 of 2: no answer from " + where)) << client.errors();
  ::close(listener_);
}

TEST_F(ByHand, OtherOptionsAreNamed) {
  const int port = free_port();
  const Settings same{output("run"), "max_steps=2"}, other{output("run"), "max_steps=2", "seed=7"};
  Program first(command(same), {}, place(0, port)), second(command(other), {}, place(1, port));
  EXPECT_EQ(second.wait(), 2);
  EXPECT_NE(first.wait(), 0);
  EXPECT_TRUE(contains(second.last_line(), "rank 1 has other options than rank 0: ")) << second.errors();
  EXPECT_TRUE(contains(first.last_line(), "rank 1 has other options than rank 0: ")) << first.errors();
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
