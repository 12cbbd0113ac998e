#include "checkpoint/run_checkpoint.h"

#include <ATen/ATen.h>
#include <glob.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "checkpoint/hugging_face.h"
#include "checkpoint/state_files.h"
#include "checkpoint/test_model.h"
#include "core/errors.h"
#include "core/test_folder.h"

namespace galore {
namespace {

namespace fs = std::filesystem;

size_t num_entries(const Path& directory) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(directory)) ++count;
  return count;
}

// Writes the files of a trainer in its order, and calls `before_each` before every file.
Path write_checkpoint(const Path& output_dir, int64_t step, const std::function<void(int)>& before_each) {
  TinyParameters parameters(tiny_config(), at::kFloat, static_cast<uint64_t>(step));
  CheckpointWriter writer(output_dir, step);
  const Path& directory = writer.directory();
  before_each(0);
  save_model(directory, tiny_config(), parameters.list(), at::kFloat, 3000);
  before_each(1);
  StateWriter state;
  at::Tensor moment = at::full({40, 40}, static_cast<double>(step));
  state.tensor("layer.moment", moment);
  state.scalar("step", step);
  state.write(directory / kOptimizerName);
  before_each(2);
  write_rng_state(directory / kRngStateName, {{"seed", 42}});
  before_each(3);
  TrainerState trainer;
  trainer.global_step = step;
  write_trainer_state(directory / kTrainerStateName, trainer);
  before_each(4);
  return writer.commit();
}
constexpr int kNumFailures = 5;

Path write_checkpoint(const Path& output_dir, int64_t step) {
  return write_checkpoint(output_dir, step, [](int) {});
}

void expect_usable(const Path& output_dir, int64_t step) {
  const auto latest = find_latest(output_dir);
  ASSERT_TRUE(latest.has_value());
  ASSERT_EQ(*latest, checkpoint_path(output_dir, step));
  TinyParameters expected(tiny_config(), at::kFloat, static_cast<uint64_t>(step)), loaded(tiny_config());
  load_weights(*latest, loaded.list());
  EXPECT_TRUE(loaded.equal(expected));
  EXPECT_EQ(read_trainer_state(*latest / kTrainerStateName).global_step, step);
  StateReader state(*latest / kOptimizerName);
  at::Tensor moment = at::zeros({40, 40});
  int64_t stored_step = 0;
  state.tensor("layer.moment", moment);
  state.scalar("step", stored_step);
  state.finish();
  EXPECT_EQ(stored_step, step);
  EXPECT_TRUE(at::all(moment == static_cast<double>(step)).item<bool>());
}

TEST(RunCheckpoint, ListsByStep) {
  const TestFolder folder;
  EXPECT_FALSE(find_latest(folder / "none").has_value());
  for (const int64_t step : {1000, 200, 30}) write_checkpoint(folder.path(), step);
  fs::create_directories(folder / "checkpoint-5000");  // it has no trainer_state.json
  for (const char* name :
       {"checkpoint-", "checkpoint-x", "checkpoint-07", "checkpoint-9x", "checkpoint--3"}) {
    fs::create_directories(folder / name);
    write_file_atomically(folder / name / kTrainerStateName, "{}");
  }
  std::vector<int64_t> steps;
  for (const auto& entry : list_checkpoints(folder.path())) steps.push_back(entry.step);
  EXPECT_EQ(steps, (std::vector<int64_t>{30, 200, 1000}));
  expect_usable(folder.path(), 1000);
}

TEST(RunCheckpoint, UnfinishedMatchesNoGlob) {
  const TestFolder folder;
  const CheckpointWriter writer(folder.path(), 10);
  glob_t matches{};
  EXPECT_EQ(::glob((folder / "*checkpoint-*").c_str(), 0, nullptr, &matches), GLOB_NOMATCH);
  ::globfree(&matches);
}

TEST(RunCheckpoint, ExceptionAtAnyMomentLeavesTheLastOne) {
  for (const int64_t step : {10, 20}) {  // 10: the same step is written again
    for (int failing = 0; failing < kNumFailures; ++failing) {
      const TestFolder folder;
      write_checkpoint(folder.path(), 10);
      EXPECT_THROW(write_checkpoint(folder.path(), step,
                                    [&](int moment) {
                                      if (moment == failing) fail("test", "stopped at {}", moment);
                                    }),
                   Error);
      expect_usable(folder.path(), 10);
      EXPECT_EQ(num_entries(folder.path()), 1u);
    }
  }
}

// A limit on the size of files makes write() itself fail, at many different places.
TEST(RunCheckpoint, FailingWritesLeaveTheLastOne) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit original{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &original), 0);
  int failures = 0;
  for (rlim_t limit = 0; limit < 8000; limit += 397) {
    const TestFolder folder;
    write_checkpoint(folder.path(), 10);
    const rlimit small{limit, original.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    try {
      write_checkpoint(folder.path(), 20);
      ::setrlimit(RLIMIT_FSIZE, &original);
      expect_usable(folder.path(), 20);
    } catch (const Error&) {
      ::setrlimit(RLIMIT_FSIZE, &original);
      ++failures;
      expect_usable(folder.path(), 10);
      EXPECT_EQ(num_entries(folder.path()), 1u);
    }
  }
  EXPECT_GT(failures, 10);
  EXPECT_LT(failures, 21);  // the largest limit lets all files through
}

TEST(RunCheckpoint, SameStepIsReplaced) {
  const TestFolder folder;
  const Path first = write_checkpoint(folder.path(), 10);
  write_file_atomically(first / "old.txt", "old");
  EXPECT_EQ(write_checkpoint(folder.path(), 10), first);
  EXPECT_FALSE(fs::exists(first / "old.txt"));
  expect_usable(folder.path(), 10);
  EXPECT_EQ(num_entries(folder.path()), 1u);
}

TEST(RunCheckpoint, WithoutTrainerStateThereIsNothing) {
  const TestFolder folder;
  CheckpointWriter writer(folder.path(), 10);
  write_file_atomically(writer.directory() / "config.json", "{}");
  EXPECT_THROW(writer.commit(), Error);
  EXPECT_FALSE(find_latest(folder.path()).has_value());
}

TEST(RunCheckpoint, PruneKeepsBestAndNewest) {
  const auto left = [](int64_t keep, int64_t best) {
    const TestFolder folder;
    for (const int64_t step : {10, 20, 30, 40}) {
      fs::create_directories(checkpoint_path(folder.path(), step) / "inside");
      write_file_atomically(checkpoint_path(folder.path(), step) / kTrainerStateName, "{}");
    }
    prune(folder.path(), keep, best > 0 ? checkpoint_path(folder.path(), best) : Path());
    std::vector<int64_t> steps;
    for (const auto& entry : list_checkpoints(folder.path())) steps.push_back(entry.step);
    EXPECT_EQ(num_entries(folder.path()), steps.size());
    return steps;
  };
  using Steps = std::vector<int64_t>;
  EXPECT_EQ(left(0, 0), (Steps{10, 20, 30, 40}));
  EXPECT_EQ(left(5, 0), (Steps{10, 20, 30, 40}));
  EXPECT_EQ(left(2, 0), (Steps{30, 40}));
  EXPECT_EQ(left(2, 10), (Steps{10, 40}));
  EXPECT_EQ(left(1, 10), (Steps{10, 40}));
  EXPECT_EQ(left(1, 40), (Steps{40}));
  EXPECT_EQ(left(3, 20), (Steps{20, 30, 40}));
}

TEST(RunCheckpoint, KilledWriterIsCleanedUpAndALivingOneIsNot) {
  const TestFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const CheckpointWriter writer(folder.path(), 20);
    write_file_atomically(writer.directory() / "config.json", "{}");
    write_file_atomically(folder / "note.txt", "kept");
    const AtomicFile half(folder / "model.safetensors");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(num_entries(folder.path()), 3u);
  const CheckpointWriter living(folder.path(), 30);
  const AtomicFile written(folder / "other.bin");
  EXPECT_EQ(clean_leftovers(folder.path()).size(), 2u);
  EXPECT_TRUE(fs::exists(living.directory()));
  EXPECT_EQ(num_entries(folder.path()), 3u);  // the note, the living writer and its file
}

}  // namespace
}  // namespace galore
