#include "report/event_file.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/files.h"

namespace galore {
namespace {

constexpr double kTime = 1700000000.25;

std::string frozen() { return read_file(Path(GALORE_REPORT_TESTDATA) / "events.tfevents"); }

// The expected values come from RFC 3720, section B.4.
TEST(EventFile, Crc32c) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(EventFile, TheBytesAreThoseOfTensorBoardsWriter) {
  std::string file = framed_record(version_event(kTime)) + framed_record(session_start_event(kTime, 301));
  const auto scalars = [&](int64_t step, double loss) {
    file += framed_record(
        scalars_event(kTime + 1, step, {{"train/loss", loss}, {"train/" + std::string(200, 'x'), 1e-3}}));
  };
  scalars(0, 11.5);
  scalars(7, std::numeric_limits<double>::infinity());
  scalars(300, 2.718281828);
  scalars(int64_t{1} << 40, -0.0);
  file += framed_record(text_event(kTime, 5, "configuration", "| ü | 1 |\n"));
  EXPECT_EQ(file, frozen());
}

TEST(EventFile, RecordsOfLaterStepsAreDropped) {
  const std::string file = frozen();
  EXPECT_EQ(records_until(file, int64_t{1} << 40), file);
  const std::string few = records_until(file, 6);
  EXPECT_EQ(records_until(few, 6), few);
  // The version, the scalars of step 0 and the text of step 5 stay.
  EXPECT_EQ(few, framed_record(version_event(kTime)) +
                     framed_record(scalars_event(
                         kTime + 1, 0, {{"train/loss", 11.5}, {"train/" + std::string(200, 'x'), 1e-3}})) +
                     framed_record(text_event(kTime, 5, "configuration", "| ü | 1 |\n")));
}

TEST(EventFile, WhatIsBrokenEndsTheReading) {
  const std::string version = framed_record(version_event(kTime));
  const std::string file = version + framed_record(scalars_event(kTime, 1, {{"a", 1}}));
  for (size_t length = version.size(); length < file.size(); ++length)
    EXPECT_EQ(records_until(file.substr(0, length), 9), version) << length;
  for (size_t at = version.size(); at < file.size(); ++at) {
    std::string altered = file;
    altered[at] = static_cast<char>(altered[at] ^ 0x10);
    EXPECT_EQ(records_until(altered, 9), version) << at;
  }
  EXPECT_EQ(records_until("", 9), "");
  EXPECT_EQ(records_until("no such file at all, but long enough", 9), "");
}

}  // namespace
}  // namespace galore
