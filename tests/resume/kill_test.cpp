// Kills a run with kill -9 at random times, again and again. The last checkpoint is always usable, and the
// final weights equal those of an undisturbed run.
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include "core/test_compression.h"
#include "program.h"

namespace galore {
namespace {

constexpr int kKills = 24, kKillsOfAStream = 9;

class ProgramKills : public ProgramTest {
 protected:
  Settings settings() const {
    return {"optim=galore_adamw_8bit_layerwise",
            "optim_args=rank=8,update_proj_gap=4,min_8bit_size=0",
            "bf16=true",
            "bf16_rounding=stochastic",
            "gradient_accumulation_steps=2",
            "report_to=all"};
  }
  // Gives the tokens as compressed rows, read through a small buffer.
  Settings stream_settings() {
    std::string rows;
    const std::vector<int> tokens = tiny_tokens(1200, 1);
    for (size_t i = 0; i < tokens.size(); i += 10)
      rows += fmt::format("{{\"input_ids\":[{}]}}\n",
                          fmt::join(tokens.begin() + static_cast<std::ptrdiff_t>(i),
                                    tokens.begin() + static_cast<std::ptrdiff_t>(i) + 10, ","));
    write_file_atomically(folder_ / "train.jsonl.gz", testing_compression::gzip(rows));
    return {"streaming=true", "buffer_size=30", "dataloader_num_workers=2",
            "train_file=" + (folder_ / "train.jsonl.gz").string()};
  }
  // Starts the run once and kills it. Returns true when it was killed while it ran.
  bool start_and_kill(int number, const Settings& more) {
    Settings own = joined(settings(), more);
    own.insert(own.end(), {output("run"), "max_steps=1000000", "save_total_limit=2",
                           "save_steps=" + std::to_string(number % 3 + 1), "resume_from_checkpoint=auto"});
    Program program(command(own));
    // Some are killed while they start, most while they train and save.
    const bool trains = number % 6 == 0 || program.wait_for("  loss ");
    EXPECT_TRUE(trains) << program.errors();
    ::usleep(static_cast<useconds_t>(std::uniform_int_distribution<int>(0, 250'000)(random_)));
    program.send(SIGKILL);
    const int status = program.wait();
    EXPECT_EQ(status, -SIGKILL) << program.errors();
    return status == -SIGKILL;
  }
  // The environment variable GALORE_KILL_SEED repeats the times of an earlier run.
  static unsigned seed() {
    const char* given = std::getenv("GALORE_KILL_SEED");
    return given ? static_cast<unsigned>(std::stoul(given)) : std::random_device()();
  }
  const unsigned seed_ = seed();
  std::mt19937 random_{seed_};

  void expect_unharmed(int kills, const Settings& more);
};

void ProgramKills::expect_unharmed(int kills, const Settings& more) {
  const std::string repeat = "GALORE_KILL_SEED=" + std::to_string(seed_) + " repeats these times";
  // The line is flushed now, because a hanging test is killed and fails without its trace.
  std::cout << repeat << std::endl;
  SCOPED_TRACE(repeat);
  int64_t saved = 0, dead_writers = 0;
  for (int number = 0; number < kills; ++number) {
    ASSERT_TRUE(start_and_kill(number, more));
    dead_writers += static_cast<int64_t>(hidden_entries("run"));
    const auto latest = find_latest(folder_ / "run");
    if (!latest) continue;
    expect_loadable(*latest);
    const int64_t step = checkpoints("run").back();
    EXPECT_GE(step, saved) << "a checkpoint was lost";
    saved = step;
  }
  RecordProperty("steps", static_cast<int>(saved));
  RecordProperty("killed_while_saving", static_cast<int>(dead_writers));
  EXPECT_GT(saved, 3) << "the kills came before anything was trained";
  const std::string end = "max_steps=" + std::to_string(saved + 2);
  Settings rest = joined(settings(), more);
  Settings whole = rest;
  rest.insert(rest.end(), {output("run"), end, "resume_from_checkpoint=true"});
  whole.insert(whole.end(), {output("whole"), end});
  EXPECT_EQ(run(rest), 0);
  EXPECT_EQ(run(whole), 0);
  EXPECT_EQ(weights("run"), weights("whole"));
  EXPECT_EQ(hidden_entries("run"), 0u) << "what killed writers left is removed";
  // The log equals the log of one undisturbed run, too.
  std::vector<int64_t> expected;
  for (int64_t step = 1; step <= saved + 2; ++step) expected.push_back(step);
  EXPECT_EQ(steps_of("run", "step"), expected);
}

TEST_F(ProgramKills, AtRandomTimesChangeNothing) { expect_unharmed(kKills, {}); }

TEST_F(ProgramKills, WithinAStreamChangeNothing) { expect_unharmed(kKillsOfAStream, stream_settings()); }

}  // namespace
}  // namespace galore
