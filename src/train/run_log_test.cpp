#include "train/run_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <thread>

#include "core/test_folder.h"

namespace galore {
namespace {

StepMetrics metrics_of(int64_t step) {
  StepMetrics m;
  m.step = step;
  m.total_steps = 40;
  m.loss = 2.5;
  m.gradient_norm = 0.75;
  m.learning_rate = 1e-3;
  m.tokens_per_second = 1234;
  m.memory_bytes = int64_t{150} << 20;
  m.seconds_left = 3723;
  return m;
}

// Returns the text that `action` writes to stderr when stderr is a file.
template <typename Action>
std::string said(Action action) {
  testing::internal::CaptureStderr();
  action();
  return testing::internal::GetCapturedStderr();
}

// Sets the width of the terminal behind stderr.
void resize(unsigned short columns) {
  winsize size{};
  size.ws_col = columns;
  EXPECT_EQ(::ioctl(STDERR_FILENO, TIOCSWINSZ, &size), 0);
}

// Returns the text that `action` writes to stderr when stderr is a terminal with so many columns.
template <typename Action>
std::string shown_on_terminal(unsigned short columns, Action action, bool coloured = false) {
  ::setenv("TERM", "xterm", 1);
  ::setenv("NO_COLOR", coloured ? "" : "1", 1);
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  EXPECT_EQ(::grantpt(terminal) | ::unlockpt(terminal), 0);
  const int side = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY);
  std::fflush(stderr);
  const int saved = ::dup(STDERR_FILENO);
  ::dup2(side, STDERR_FILENO);
  resize(columns);
  action();
  std::fflush(stderr);
  ::dup2(saved, STDERR_FILENO);
  ::fcntl(terminal, F_SETFL, O_NONBLOCK);
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(terminal, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(got));
  for (const int descriptor : {saved, side, terminal}) ::close(descriptor);
  return text;
}

std::vector<nlohmann::json> events_in(const Path& path) {
  std::vector<nlohmann::json> events;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) events.push_back(nlohmann::json::parse(line));
  return events;
}

TEST(RunLog, AStepHasEveryField) {
  const TestFolder folder;
  said([&] {
    RunLog log({folder.path()});
    log.open(-1);
    log.step(metrics_of(3));
  });
  const auto events = events_in(folder / "metrics.jsonl");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].at("event"), "step");
  EXPECT_EQ(events[0].at("step"), 3);
  EXPECT_EQ(events[0].at("loss"), 2.5);
  for (const char* name :
       {"time", "total_steps", "epoch", "grad_norm", "learning_rate", "tokens_per_second", "peak_share",
        "memory_bytes", "peak_memory_bytes", "tokens_seen", "seconds_left", "optimizer_seconds",
        "refresh_seconds", "data_seconds", "clip_factor", "skipped_updates"})
    EXPECT_TRUE(events[0].at(name).is_number()) << name;
}

TEST(RunLog, ANormInsideTheSubspaceHasItsOwnName) {
  const TestFolder folder;
  const std::string text = said([&] {
    RunLog log({folder.path()});
    log.open(-1);
    StepMetrics metrics = metrics_of(1);
    metrics.norm_is_projected = true;
    log.step(metrics);
  });
  const auto event = events_in(folder / "metrics.jsonl").at(0);
  EXPECT_EQ(event.at("grad_norm_projected"), 0.75);
  EXPECT_FALSE(event.contains("grad_norm"));
  EXPECT_NE(text.find("grad_norm_projected 0.75"), std::string::npos);
}

TEST(RunLog, NumbersThatAreNotFiniteStayValidJson) {
  const TestFolder folder;
  said([&] {
    RunLog log({folder.path(), true, true});
    log.open(-1);
    StepMetrics metrics = metrics_of(1);
    metrics.loss = std::nan("");
    metrics.gradient_norm = std::numeric_limits<double>::infinity();
    metrics.tokens_per_second = std::nan("");
    log.step(metrics);
    log.event("eval", {{"step", 1}, {"perplexity", std::numeric_limits<double>::infinity()}});
    log.event("odd", {{"text", "not UTF-8: \xff"}});
  });
  const auto events = events_in(folder / "metrics.jsonl");
  ASSERT_EQ(events.size(), 3u);
  EXPECT_TRUE(events[0].at("loss").is_null());
  EXPECT_TRUE(events[0].at("grad_norm").is_null());
  EXPECT_TRUE(events[0].at("tokens_per_second").is_null());
  EXPECT_TRUE(events[1].at("perplexity").is_null());
  EXPECT_NE(read_file(folder / "metrics.csv").find("\n1,0,nan,nan,,"), std::string::npos);
}

TEST(RunLog, EventsWaitUntilTheFilesAreOpen) {
  const TestFolder folder;
  write_file_atomically(folder / "metrics.jsonl", "an older log\n");
  RunLog log({folder.path()});
  log.event("configuration", {{"a", 1}});
  EXPECT_EQ(read_file(folder / "metrics.jsonl"), "an older log\n");
  log.open(-1);
  log.event("memory", {{"b", 2}});
  const auto events = events_in(folder / "metrics.jsonl");
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].at("event"), "configuration");
  EXPECT_EQ(events[1].at("event"), "memory");
}

TEST(RunLog, LinesAndEventsComeFromAnyThread) {
  constexpr int kThreads = 4, kEach = 2000;
  const TestFolder folder;
  std::vector<std::string> lines;
  std::atomic<bool> inside = false;
  LogOptions options{folder.path()};
  options.hooks.take_line = [&](const std::string& line) {
    EXPECT_FALSE(inside.exchange(true)) << "two threads give lines at once";
    std::this_thread::sleep_for(std::chrono::microseconds(20));  // long enough for another thread to come
    lines.push_back(line);
    inside = false;
  };
  RunLog log(options);
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        log.event("odd", {{"thread", thread}, {"number", i}});
        if (i % 10 == 0) log.say(std::to_string(i));
      }
    });
  log.open(-1);  // opens the files while other threads log
  threads.clear();
  EXPECT_EQ(lines.size(), size_t{kThreads * kEach / 10});
  std::vector<int> next(kThreads);
  for (const auto& event : events_in(folder / "metrics.jsonl"))
    EXPECT_EQ(event.at("number"), next[event.at("thread").get<size_t>()]++)
        << "a thread's events stay in order";
  EXPECT_EQ(next, std::vector<int>(kThreads, kEach));
}

TEST(RunLog, AResumedRunDropsWhatCameLater) {
  const TestFolder folder;
  const LogOptions options{folder.path(), true, true};
  said([&] {
    RunLog log(options);
    log.open(-1);
    log.event("configuration", {{"a", 1}});
    for (int64_t step = 1; step <= 6; ++step) log.step(metrics_of(step));
    log.event("eval", {{"step", 6}});
  });
  // The last line was cut off when the run was killed.
  std::ofstream(folder / "metrics.jsonl", std::ios::app) << "{\"event\": \"step\", \"st";
  std::ofstream(folder / "metrics.csv", std::ios::app) << "7,0.1";
  said([&] {
    RunLog log(options);
    log.open(4);
    log.step(metrics_of(5));
  });
  std::vector<int64_t> steps;
  for (const auto& event : events_in(folder / "metrics.jsonl"))
    if (event.contains("step")) steps.push_back(event.at("step"));
  EXPECT_EQ(steps, (std::vector<int64_t>{1, 2, 3, 4, 5}));
  std::ifstream csv(folder / "metrics.csv");
  std::vector<std::string> begins;
  for (std::string line; std::getline(csv, line);) begins.push_back(line.substr(0, line.find(',')));
  EXPECT_EQ(begins, (std::vector<std::string>{"step", "1", "2", "3", "4", "5"}));
}

// A row that was cut within its last number looks complete.
TEST(RunLog, ARowWithoutItsLineEndIsDropped) {
  const TestFolder folder;
  const LogOptions options{folder.path(), false, true};
  said([&] {
    RunLog log(options);
    log.open(-1);
    log.step(metrics_of(1));
    log.step(metrics_of(2));
  });
  const std::string whole = read_file(folder / "metrics.csv");
  write_file_atomically(folder / "metrics.csv", whole.substr(0, whole.size() - 1));
  RunLog log(options);
  log.open(9);
  EXPECT_EQ(read_file(folder / "metrics.csv"), whole.substr(0, whole.rfind("2,0")));
}

TEST(RunLog, ANewRunBeginsNewFiles) {
  const TestFolder folder;
  for (int run = 0; run < 2; ++run) {
    RunLog log({folder.path(), true, true});
    log.open(-1);
    said([&] { log.step(metrics_of(1)); });
  }
  EXPECT_EQ(events_in(folder / "metrics.jsonl").size(), 1u);
  RunLog log({folder.path(), false, false});
  log.open(-1);
  log.event("a", {});
  EXPECT_FALSE(std::filesystem::exists(folder / "metrics.jsonl"));
}

TEST(RunLog, AFileGetsPlainLines) {
  const TestFolder folder;
  const std::string text = said([&] {
    RunLog log({folder.path()});
    log.open(-1);
    log.say("hello");
    log.progress(metrics_of(1));
    StepMetrics metrics = metrics_of(2);
    metrics.skipped_updates = 3;
    log.step(metrics);
    log.finish_bar();
  });
  EXPECT_EQ(
      text,
      "hello\nstep 2/40  epoch 0.00  loss 2.5000  grad_norm 0.75  lr 0.001  1234 tok/s  0 % of peak  mem "
      "150.00 MiB (peak 0 B)  left 1:02:03  skipped 3\n");
}

TEST(RunLog, ATerminalGetsABarThatIsRedrawnAndMakesWayForLines) {
  const TestFolder folder;
  const std::string text = shown_on_terminal(100, [&] {
    RunLog log({folder.path()});
    log.open(-1);
    log.progress(metrics_of(10));
    log.step(metrics_of(20));
    log.say("saved");
    log.progress(metrics_of(21));
  });
  const std::string bar = "\r\033[K[#";
  EXPECT_EQ(text.rfind(bar, 0), 0u);
  EXPECT_NE(text.find(" 20/40  loss 2.5000  1234 tok/s"), std::string::npos);
  EXPECT_NE(text.find("\r\033[Ksaved\r\n" + bar), std::string::npos);
  EXPECT_TRUE(text.ends_with("\r\n")) << "the bar is finished";
  EXPECT_EQ(text.find("step 20/40"), std::string::npos) << "no lines beside the bar";
}

TEST(RunLog, ABarCanBeRefused) {
  const TestFolder folder;
  const std::string text = shown_on_terminal(100, [&] {
    RunLog log({folder.path(), true, false, /*progress_bar=*/false});
    log.open(-1);
    log.step(metrics_of(20));
  });
  EXPECT_EQ(text.rfind("step 20/40", 0), 0u);
  EXPECT_EQ(text.find('\033'), std::string::npos);
}

TEST(RunLog, ABarFitsTheTerminal) {
  for (int columns = 1; columns <= 200; ++columns) {
    const std::string bar = format_bar(metrics_of(20), columns);
    EXPECT_LT(static_cast<int>(bar.size()), columns) << bar;
  }
  EXPECT_EQ(format_bar(metrics_of(20), 12), "20/40  loss");
  EXPECT_EQ(format_bar(metrics_of(20), 200).substr(0, 42), "[####################....................]");
  EXPECT_EQ(format_bar(metrics_of(50), 200).substr(0, 42), "[########################################]");
  EXPECT_NO_THROW(format_bar({}, 80)) << "no step at all";
  // On a terminal, too, no text between two carriage returns is longer than the width.
  const TestFolder folder;
  const std::string text = shown_on_terminal(18, [&] {
    RunLog log({folder.path()});
    log.open(-1);
    log.step(metrics_of(20));
  });
  EXPECT_EQ(text, "\r\033[K20/40  loss 2.500\r\n");
}

TEST(RunLog, ABarThatANarrowerTerminalBrokeIsErasedWhole) {
  const TestFolder folder;
  const std::string text = shown_on_terminal(100, [&] {
    RunLog log({folder.path()});
    log.open(-1);
    log.step(metrics_of(20));
    resize(40);
    log.step(metrics_of(21));
    resize(120);
    log.say("saved");
  });
  EXPECT_NE(text.find("\r\033[2A\033[J21/40"), std::string::npos) << "99 columns in rows of 40 are three";
  EXPECT_NE(text.find("\r\033[Ksaved\r\n"), std::string::npos);
}

TEST(RunLog, BetweenLoggedStepsABarIsDrawnTenTimesASecondAtMost) {
  const TestFolder folder;
  const std::string text = shown_on_terminal(100, [&] {
    RunLog log({folder.path()});
    log.open(-1);
    for (int64_t step = 1; step <= 20; ++step) log.progress(metrics_of(step));
    log.step(metrics_of(21));
  });
  EXPECT_NE(text.find(" 1/40"), std::string::npos);
  EXPECT_EQ(text.find(" 2/40"), std::string::npos);
  EXPECT_NE(text.find(" 21/40"), std::string::npos);
}

TEST(RunLog, ColoursAreForTerminalsThatWantThem) {
  const TestFolder folder;
  const auto talk = [&] {
    RunLog log({folder.path()});
    log.open(-1);
    log.say("note: careful");
    log.step(metrics_of(20));
  };
  EXPECT_EQ(shown_on_terminal(100, talk, true).substr(0, 32),
            "\033[33mnote: careful\033[0m\r\n\r\033[K\033[1;");
  EXPECT_EQ(shown_on_terminal(100, talk, false).find("\033[33m"), std::string::npos) << "NO_COLOR";
  EXPECT_EQ(said(talk).find('\033'), std::string::npos) << "a file";
}

TEST(RunLog, AFailingWriteIsAnErrorThatNamesTheFile) {
  const TestFolder folder;
  RunLog log({folder.path()});
  log.open(-1);
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit original{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &original), 0);
  const rlimit none{0, original.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &none);
  std::string complaint;
  try {
    log.event("a", {});
  } catch (const Error& error) {
    complaint = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &original);
  EXPECT_EQ(complaint, "[log] cannot write " + (folder / "metrics.jsonl").string() + ": File too large");
}

TEST(RunLog, Durations) {
  EXPECT_EQ(format_duration(0), "00:00");
  EXPECT_EQ(format_duration(125.9), "02:05");
  EXPECT_EQ(format_duration(3723), "1:02:03");
  EXPECT_EQ(format_duration(-1), "00:00");
}

}  // namespace
}  // namespace galore
