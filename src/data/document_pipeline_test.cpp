#include "data/document_pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

#include "core/errors.h"
#include "data/data_test.h"

namespace galore {
namespace {

// Reads documents that are each larger than a block.
DocumentPipeline::Read numbers(int64_t count, int64_t* read) {
  return [count, read](Document& document) {
    document.clear();
    if (*read == count) return false;
    document.line = ++*read;
    document.text.assign(300 << 10, 'x');
    return true;
  };
}

TEST(DocumentPipeline, KeepsTheOrderForAnyNumberOfWorkers) {
  for (const int64_t workers : {0, 1, 2, 5}) {
    int64_t read = 0, expected = 0;
    DocumentPipeline pipeline(
        numbers(60, &read),
        [](Document& document) {
          // Later documents are done first.
          std::this_thread::sleep_for(std::chrono::microseconds(300 * (5 - document.line % 5)));
          document.ids = {static_cast<int32_t>(document.line)};
        },
        workers);
    for (Document document; pipeline.next(document);)
      EXPECT_EQ(document.ids, std::vector<int32_t>{static_cast<int32_t>(++expected)});
    EXPECT_EQ(expected, 60);
    Document document;
    EXPECT_FALSE(pipeline.next(document));
  }
}

TEST(DocumentPipeline, ReadsNoFurtherThanItMay) {
  int64_t read = 0;
  std::atomic<int64_t> worked = 0;
  DocumentPipeline pipeline(
      numbers(1000, &read), [&](Document&) { ++worked; }, 3);
  Document document;
  ASSERT_TRUE(pipeline.next(document));
  while (worked < 5) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(worked, 5) << "one that was handed out, and one more than there are workers";
}

TEST(DocumentPipeline, ErrorsComeInTheirPlace) {
  for (const int64_t workers : {0, 3}) {
    int64_t read = 0;
    DocumentPipeline pipeline(
        numbers(60, &read),
        [](Document& document) {
          if (document.line == 10) fail("row", "ten");
          if (document.line == 12) fail("row", "twelve");
        },
        workers);
    Document document;
    for (int i = 0; i < 9; ++i) EXPECT_TRUE(pipeline.next(document));
    for (int i = 0; i < 2; ++i) {
      try {
        pipeline.next(document);
        ADD_FAILURE();
      } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "[row] ten");
      }
    }
  }
}

TEST(DocumentPipeline, EndsWithoutHavingBeenReadToItsEnd) {
  int64_t read = 0;
  {
    DocumentPipeline pipeline(
        numbers(1000, &read), [](Document&) {}, 4);
  }
  EXPECT_LE(read, 5) << "a block for each worker and one more; all threads have ended";
}

#ifndef __SANITIZE_ADDRESS__
// Stacks of 8 MiB do not fit. A thread cannot be created, the threads before it are ended, and the error is
// thrown.
TEST(DocumentPipelineDeathTest, AThreadThatCannotStartIsAnError) {
  const auto start_too_many = [] {
    const RestrictedMemory restricted(64 << 20);
    int64_t read = 0;
    try {
      DocumentPipeline(
          numbers(1000, &read), [](Document&) {}, 64);
    } catch (const std::system_error&) {
      std::_Exit(0);
    }
  };
  EXPECT_EXIT(start_too_many(), testing::ExitedWithCode(0), "");
}
#endif

}  // namespace
}  // namespace galore
