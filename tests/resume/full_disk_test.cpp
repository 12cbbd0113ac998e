// A write that fails, on a small disk or by a limit, gives one line and exit status 1 and leaves the last
// checkpoint usable.
#include <sys/mount.h>

#include <cerrno>
#include <cstring>

#include "program.h"

namespace galore {
namespace {

class ProgramFullDisk : public ProgramTest {
 protected:
  void TearDown() override {
    if (mounted_) ::umount2((folder_ / "disk").c_str(), MNT_DETACH);
  }
  bool mounted_ = false;
};

// Depending on the limit, a file of the checkpoint, of the log or of the last model is too large.
TEST_F(ProgramFullDisk, AFailingWriteLeavesTheLastCheckpoint) {
  ASSERT_EQ(run({output("whole"), "max_steps=4", "save_steps=2"}), 0);
  ASSERT_EQ(run({output("start"), "max_steps=2", "save_steps=2"}), 0);
  const auto size = [&](const char* name) {
    return std::filesystem::file_size(folder_ / "start" / "checkpoint-2" / name);
  };
  int failures = 0;
  for (const rlim_t limit :
       {size("config.json") / 2, size(kTrainerStateName) / 2, size("model.safetensors") / 2,
        size("optimizer.safetensors") - 1, size("optimizer.safetensors") * 2}) {
    const std::string name = "run" + std::to_string(limit);
    std::filesystem::copy(folder_ / "start", folder_ / name, std::filesystem::copy_options::recursive);
    const Settings settings = {output(name), "max_steps=4", "save_steps=2", "resume_from_checkpoint=auto"};
    {
      Program program(command(settings), limit);
      const int status = program.wait();
      if (status != 0) {
        ++failures;
        EXPECT_EQ(status, 1) << limit << ": " << program.errors();
        EXPECT_EQ(program.last_line().rfind("galore: [", 0), 0u) << program.last_line();
        EXPECT_NE(program.last_line().find("File too large"), std::string::npos) << program.last_line();
        EXPECT_EQ(checkpoints(name), std::vector<int64_t>{2});
        EXPECT_EQ(hidden_entries(name), 0u);
        expect_loadable(folder_ / name / "checkpoint-2");
      }
    }
    EXPECT_EQ(run(settings), 0);
    EXPECT_EQ(weights(name), weights("whole"));
  }
  EXPECT_EQ(failures, 4) << "the largest limit lets everything through";
}

TEST_F(ProgramFullDisk, AFullDiskLeavesTheLastCheckpoint) {
  const Path disk = folder_ / "disk";
  std::filesystem::create_directories(disk);
  if (::mount("galore-test", disk.c_str(), "tmpfs", 0, "size=800k") != 0)
    GTEST_SKIP() << "no small disk: " << std::strerror(errno);
  mounted_ = true;
  Program program(
      command({output("disk/run"), "max_steps=50", "save_steps=1", "optim=adamw_torch", "optim_args="}));
  EXPECT_EQ(program.wait(), 1) << program.errors();
  EXPECT_EQ(program.last_line().rfind("galore: [write] cannot ", 0), 0u) << program.last_line();
  EXPECT_NE(program.last_line().find("No space left on device"), std::string::npos) << program.last_line();
  const auto latest = find_latest(folder_ / "disk" / "run");
  ASSERT_TRUE(latest.has_value());
  expect_loadable(*latest);
  EXPECT_EQ(hidden_entries("disk/run"), 0u);
  const Settings adamw = {"max_steps=6", "optim=adamw_torch", "optim_args="};
  Settings rest = adamw, whole = adamw;
  rest.insert(rest.end(), {output("rest"), "resume_from_checkpoint=" + latest->string()});
  whole.push_back(output("whole"));
  EXPECT_EQ(run(rest), 0);
  EXPECT_EQ(run(whole), 0);
  EXPECT_EQ(weights("rest"), weights("whole"));
}

}  // namespace
}  // namespace galore
