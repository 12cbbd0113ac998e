#include "train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>

#include "core/errors.h"
#include "core/files.h"

namespace galore {
namespace {

ScheduleOptions schedule_options(const std::string& type, const std::string& kwargs, double rate,
                                 double warmup, int64_t steps) {
  return {.max_steps = steps,
          .learning_rate = rate,
          .lr_scheduler_type = type,
          .lr_scheduler_kwargs = kwargs,
          .warmup_steps = warmup};
}

std::string schedule_complaint(const ScheduleOptions& options) {
  try {
    const Schedule schedule(options);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

std::string schedule_complaint(const std::string& type, const std::string& kwargs) {
  return schedule_complaint(schedule_options(type, kwargs, 0.01, 0, 100));
}

TEST(Schedule, AgreesWithTransformers) {
  const auto vectors = nlohmann::json::parse(read_file(Path(GALORE_TRAIN_TESTDATA) / "schedules.json"));
  const double rate = vectors.at("learning_rate");
  std::set<std::string> tested;
  for (const auto& expected : vectors.at("cases")) {
    const std::string type = expected.at("type"), kwargs = expected.at("kwargs");
    tested.insert(type);
    const Schedule schedule(schedule_options(type, kwargs, rate, expected.at("warmup"), vectors.at("total")));
    const std::vector<double> rates = expected.at("rates");
    ASSERT_EQ(rates.size(), vectors.at("total").get<size_t>() + 1);
    for (size_t update = 0; update < rates.size(); ++update)
      // Both sides compute in double; their orders of operations differ by a few roundings of the peak rate.
      EXPECT_NEAR(schedule.rate(static_cast<int64_t>(update)), rates[update], 1e-14 * rate)
          << type << " " << kwargs << " update " << update;
  }
  tested.insert("jagged_cosine");  // ours; another test compares it with its formula
  EXPECT_EQ(tested, std::set<std::string>(schedule_names().begin(), schedule_names().end()));
}

TEST(Schedule, WarmUpBeginsWithZeroAndEndsAtThePeak) {
  for (const std::string& type : schedule_names()) {
    const std::string kwargs = type == "cosine_with_min_lr" ? "min_lr_rate=0.1"
                               : type == "jagged_cosine"    ? "cycle_length=50"
                                                            : "";
    const Schedule schedule(schedule_options(type, kwargs, 0.01, 10, 100));
    EXPECT_EQ(schedule.rate(0), type == "constant" ? 0.01 : 0.0) << type;
    EXPECT_EQ(schedule.rate(10), 0.01) << type;
    EXPECT_EQ(Schedule(schedule_options(type, kwargs, 0.0, 10, 100)).rate(50), 0.0) << type;
  }
}

TEST(Schedule, EndsWhereItSays) {
  EXPECT_EQ(Schedule(schedule_options("linear", "", 0.01, 0, 100)).rate(100), 0.0);
  EXPECT_EQ(Schedule(schedule_options("cosine", "", 0.01, 0, 100)).rate(100), 0.0);
  EXPECT_EQ(Schedule(schedule_options("cosine_with_min_lr", "min_lr_rate=0.1", 0.01, 10, 100)).rate(100),
            0.1 * 0.01);
  EXPECT_EQ(Schedule(schedule_options("cosine_with_min_lr", "min_lr=0.005", 0.01, 10, 100)).rate(100),
            0.5 * 0.01);
  EXPECT_EQ(Schedule(schedule_options("polynomial", "lr_end=0.005", 0.01, 0, 100)).rate(100), 0.005);
  // By default, the last ten percent of the updates decay.
  const Schedule stable(schedule_options("warmup_stable_decay", "", 0.01, 0, 100));
  EXPECT_EQ(stable.rate(90), 0.01);
  EXPECT_LT(stable.rate(91), 0.01);
  EXPECT_EQ(stable.rate(100), 0.0);
}

TEST(Schedule, AWarmUpLongerThanTheRunOnlyRises) {
  const Schedule schedule(schedule_options("cosine", "", 0.01, 1000, 10));
  EXPECT_EQ(schedule.rate(10), 0.01 * 0.01);
  EXPECT_EQ(schedule.rate(999), 0.01 * 0.999);
}

TEST(Schedule, RefusesBadArguments) {
  EXPECT_NE(schedule_complaint("linear", "power=2").find("'linear' takes none"), std::string::npos);
  EXPECT_NE(schedule_complaint("polynomial", "powr=2").find("nearest known one is 'power'"),
            std::string::npos);
  EXPECT_NE(schedule_complaint("cosine_with_min_lr", "").find("either min_lr_rate or min_lr"),
            std::string::npos);
  EXPECT_NE(schedule_complaint("cosine_with_min_lr", "min_lr=0.001,min_lr_rate=0.1"), "");
  EXPECT_NE(schedule_complaint("cosine_with_min_lr", "min_lr=0.1").find("at most learning_rate=0.01"),
            std::string::npos);
  EXPECT_NE(schedule_complaint("cosine_with_min_lr", "min_lr_rate=1.5").find("expected 0 to 1"),
            std::string::npos);
  EXPECT_NE(schedule_complaint("cosine_with_min_lr", "0.1").find("name=value"), std::string::npos);
  EXPECT_NE(schedule_complaint("polynomial", "lr_end=0.02").find("at most learning_rate"), std::string::npos);
  EXPECT_NE(schedule_complaint("warmup_stable_decay", "decay_type=steep").find("1-sqrt"), std::string::npos);
  EXPECT_NE(schedule_complaint("consine", "").find("nearest known one is 'cosine'"), std::string::npos);
}

// Values of ReLoRA's closed form with T = 12, cycles of 4, 2 updates of warm-up and 2 of each restart's.
TEST(Schedule, JaggedCosineDropsAndWarmsUpInEachCycle) {
  ScheduleOptions options;
  options.learning_rate = 1;
  options.max_steps = 12;
  options.warmup_steps = 2;
  options.lr_scheduler_type = "jagged_cosine";
  options.lr_scheduler_kwargs = "cycle_length=4,restart_warmup_steps=2";
  const auto cosine = [](double since) {
    return 0.1 + 0.9 * 0.5 * (1 + std::cos(std::numbers::pi * since / 10));
  };
  const Schedule schedule(options);
  const std::vector<double> expected{
      0,         0.5,       cosine(0), cosine(1),       0,         0.5 * cosine(4),
      cosine(4), cosine(5), 0,         0.5 * cosine(8), cosine(8), cosine(9)};
  for (size_t u = 0; u < expected.size(); ++u)
    EXPECT_NEAR(schedule.rate(static_cast<int64_t>(u)), expected[u], 1e-12) << u;
  for (const char* wrong :
       {"", "cycle_length=5", "cycle_length=4,restart_warmup_steps=4", "cycle_length=4,adjust_step=3"}) {
    options.lr_scheduler_kwargs = wrong;
    EXPECT_NE(schedule_complaint(options).find("cycle_length"), std::string::npos) << wrong;
  }
}

}  // namespace
}  // namespace galore
