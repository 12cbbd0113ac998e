#include "data/packing.h"

#include <gtest/gtest.h>

#include "core/errors.h"
#include "core/test_message.h"

namespace galore {
namespace {

constexpr Packing kAll[] = {Packing::none, Packing::joined, Packing::isolated};

std::string complaint(Packing wanted, const FileKinds& files) {
  return message_of([&] { packing_in_use(wanted, files); });
}

TEST(Packing, TextIsPackedAsAskedFor) {
  for (const Packing wanted : kAll) EXPECT_EQ(packing_in_use(wanted, {"", "a.txt", ""}), wanted);
}

TEST(Packing, RowsWithLabelsAreNeverJoined) {
  const FileKinds labelled{"a.jsonl", "", ""}, mixed{"a.jsonl", "b.txt", ""};
  for (const Packing wanted : kAll)
    EXPECT_EQ(packing_in_use(wanted, labelled), wanted == Packing::none ? Packing::none : Packing::isolated);
  for (const Packing wanted : {Packing::none, Packing::isolated})
    EXPECT_EQ(packing_in_use(wanted, mixed), wanted);
  EXPECT_EQ(complaint(Packing::joined, mixed),
            "[a.jsonl] the rows have labels and those of b.txt have none: expected packing=isolated or "
            "packing=false for both in one data set, given packing=true");
}

TEST(Packing, TokenFilesAreJoined) {
  for (const FileKinds& files : {FileKinds{"", "", "t.bin"}, FileKinds{"", "a.txt", "t.bin"}}) {
    EXPECT_EQ(packing_in_use(Packing::none, files), Packing::joined);
    EXPECT_EQ(packing_in_use(Packing::joined, files), Packing::joined);
    EXPECT_EQ(complaint(Packing::isolated, files),
              "[t.bin] packing=isolated: expected files with documents; a .bin has no boundaries");
  }
  for (const Packing wanted : kAll)
    EXPECT_EQ(complaint(wanted, {"a.jsonl", "", "t.bin"}),
              "[a.jsonl] expected rows without labels beside t.bin, which has no document boundaries");
}

}  // namespace
}  // namespace galore
