#include "report/log_sink.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "core/test_folder.h"
#include "report/event_file.h"

namespace galore {
namespace {

// Two metrics are drawn and one is for comparison. Each is a column and has a tag.
const std::vector<MetricKind> kMetrics{{.name = "eval_loss", .title = "Loss"},
                                       {.name = "accuracy", .title = "Accuracy"},
                                       {.name = "eval_other"}};

LogEvent step_event(int64_t step, double loss) {
  return {
      "step", 1700000000.0 + static_cast<double>(step), {{"step", step}, {"loss", loss}, {"grad_norm", 1.5}}};
}

LogEvent eval_event(int64_t step, double loss) {
  return {"eval", 1700000000.5, {{"step", step}, {"eval_loss", loss}, {"accuracy", 2 * loss}}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    lines.push_back(text.substr(at, text.find('\n', at) - at));
  return lines;
}

std::string event_files(const Path& folder) {
  std::set<Path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "runs")) paths.insert(entry.path());
  std::string all;
  for (const Path& path : paths) all += read_file(path);
  return all;
}

TEST(CsvSink, ARowHasACellForEachColumn) {
  const TestFolder folder;
  const auto csv = make_csv_sink(folder.path(), kMetrics);
  csv->drop_after(-1);
  csv->write({"configuration", 1, {{"a", "b"}}});
  csv->write(step_event(3, 2.25));
  csv->write({"step", 1, {{"step", 4}, {"loss", nullptr}}});
  csv->write(eval_event(4, 1.5));
  const auto lines = lines_of(read_file(folder.path() / "metrics.csv"));
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(
      lines[0],
      "step,epoch,loss,grad_norm,grad_norm_projected,learning_rate,tokens_per_second,peak_share,memory_bytes,"
      "peak_memory_bytes,tokens_seen,optimizer_seconds,refresh_seconds,data_seconds,skipped_updates,mean_"
      "rank,"
      "eval_loss,accuracy,eval_other");
  EXPECT_EQ(lines[1], "3,,2.25,1.5,,,,,,,,,,,,,,,");
  EXPECT_EQ(lines[2], "4,,nan,,,,,,,,,,,,,,,,");
  EXPECT_EQ(lines[3], "4,,,,,,,,,,,,,,,,1.5,3,");
}

TEST(TensorboardSink, AResumedRunHasEachStepOnce) {
  const TestFolder folder;
  const auto first = make_tensorboard_sink(folder.path(), kMetrics);
  first->drop_after(-1);
  for (int64_t step = 1; step <= 6; ++step) first->write(step_event(step, 1));
  const auto second = make_tensorboard_sink(folder.path(), kMetrics);
  second->drop_after(4);
  second->write(step_event(5, 2));
  std::string expected = framed_record(version_event(1700000001));
  const auto step = [&](int64_t number, double loss) {
    expected += framed_record(scalars_event(1700000000.0 + static_cast<double>(number), number,
                                            {{"train/loss", loss}, {"train/grad_norm", 1.5}}));
  };
  for (int64_t number = 1; number <= 4; ++number) step(number, 1);
  expected += framed_record(version_event(1700000005)) + framed_record(session_start_event(1700000005, 5));
  step(5, 2);
  EXPECT_EQ(event_files(folder.path()), expected);
}

TEST(TensorboardSink, ANewRunRemovesItsOwnFilesAlone) {
  const TestFolder folder;
  for (int run = 0; run < 2; ++run) {
    const auto board = make_tensorboard_sink(folder.path(), kMetrics);
    board->drop_after(-1);
    if (run == 0) write_file_atomically(folder.path() / "other", "");
    board->write(step_event(run + 1, 1));
    write_file_atomically(folder.path() / "runs" / "events.out.tfevents.1.other", "x");
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path() / "runs"), {}), 2);
  EXPECT_TRUE(event_files(folder.path()).starts_with("x"));
}

TEST(TensorboardSink, MetricsHaveTheTagsOfHuggingFace) {
  const TestFolder folder;
  const auto board = make_tensorboard_sink(folder.path(), kMetrics);
  board->write(eval_event(4, 1.5));
  EXPECT_EQ(event_files(folder.path()),
            framed_record(version_event(1700000000.5)) +
                framed_record(scalars_event(1700000000.5, 4, {{"eval/loss", 1.5}, {"eval/accuracy", 3}})));
}

TEST(TensorboardSink, RanksAndEnergyOfEachWeight) {
  const TestFolder folder;
  const auto board = make_tensorboard_sink(folder.path(), kMetrics);
  board->drop_after(-1);
  board->write({"subspace", 2, {{"step", 9}, {"ranks", {{"q", 16}}}, {"captured_energy", {{"q", 0.75}}}}});
  EXPECT_EQ(event_files(folder.path()),
            framed_record(version_event(2)) +
                framed_record(scalars_event(2, 9, {{"ranks/q", 16}, {"captured_energy/q", 0.75}})));
}

TEST(TensorboardSink, WeightsOfAMixture) {
  const TestFolder folder;
  const auto board = make_tensorboard_sink(folder.path(), kMetrics);
  board->drop_after(-1);
  board->write({"mixture", 2, {{"step", 9}, {"weights", {{"a", 0.25}}}, {"rewards", {{"a", 3.5}}}}});
  EXPECT_EQ(
      event_files(folder.path()),
      framed_record(version_event(2)) +
          framed_record(scalars_event(2, 9, {{"mixture_weights/a", 0.25}, {"mixture_rewards/a", 3.5}})));
}

TEST(LogSinks, NothingIsThereBeforeTheFirstEvent) {
  const TestFolder folder;
  make_jsonl_sink(folder.path())->drop_after(-1);
  make_csv_sink(folder.path(), kMetrics)->drop_after(-1);
  make_tensorboard_sink(folder.path(), kMetrics)->drop_after(-1);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(LogSinks, AFileThatCannotBeWrittenIsNamed) {
  const TestFolder folder;
  std::filesystem::create_directory(folder.path() / "metrics.jsonl");
  const auto jsonl = make_jsonl_sink(folder.path());
  try {
    jsonl->write(step_event(1, 1));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "[log] cannot open " + (folder.path() / "metrics.jsonl").string() +
                                             " for writing: Is a directory");
  }
}

}  // namespace
}  // namespace galore
