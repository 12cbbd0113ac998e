#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <set>

#include "core/errors.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/output_path.h"
#include "core/philox.h"
#include "core/random.h"

namespace galore {
namespace {

class Folder {
 public:
  Folder() : path(std::filesystem::temp_directory_path() / fmt::format("galore_core_test_{}", ::getpid())) {
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Path path;
};

// The expected values are the known answers of Random123 (kat_vectors).
TEST(Philox, GivesThePublishedNumbers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, IsReproducibleAndKeyed) {
  RandomStream a(1, "purpose", "name", 5), b(1, "purpose", "name", 5), c(1, "purpose", "nam", 5),
      d(1, "purpose", "name", 6);
  const uint64_t first = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
  EXPECT_NE(first, d.next());
}

TEST(RandomStream, IsUniformAndNormal) {
  RandomStream stream(3, "uniform");
  double sum = 0, squares = 0;
  const int count = 100000;
  for (int i = 0; i < count; ++i) {
    const auto words = stream.block(static_cast<uint64_t>(i));
    const auto pair = normal_pair(words[0], words[1]);
    sum += pair[0] + pair[1];
    squares += pair[0] * pair[0] + pair[1] * pair[1];
  }
  EXPECT_NEAR(sum / (2 * count), 0, 5 / std::sqrt(2.0 * count));
  EXPECT_NEAR(squares / (2 * count), 1, 5 * std::sqrt(2.0 / (2 * count)));
  std::array<int, 7> hits{};
  for (int i = 0; i < 70000; ++i) ++hits[stream.below(7)];
  for (const int hit : hits) EXPECT_NEAR(hit, 10000, 500);
}

TEST(AtomicFile, IsWholeOrAbsent) {
  Folder folder;
  const Path path = folder.path / "file";
  {
    AtomicFile file(path);
    file.write("half");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path)) << "the temporary file must be gone";
  write_file_atomically(path, "whole");
  EXPECT_EQ(read_file(path), "whole");
  EXPECT_THROW(write_file_atomically(folder.path / "missing" / "x", "a"), Error);
  EXPECT_THROW(read_file(path, 4), Error);
  RandomAccessFile file(path);
  char byte = 0;
  EXPECT_THROW(file.read(5, &byte, 1), Error);
  EXPECT_THROW(file.read(UINT64_MAX, &byte, 2), Error);
}

TEST(ExpandGlob, SortsAndRefusesNothing) {
  Folder folder;
  for (const char* name : {"b.txt", "a.txt", "c.bin"}) write_file_atomically(folder.path / name, "");
  EXPECT_EQ(expand_glob((folder.path / "*.txt").string()).size(), 2u);
  EXPECT_EQ(expand_glob((folder.path / "*.txt").string())[0].filename(), "a.txt");
  EXPECT_THROW(expand_glob((folder.path / "*.json").string()), Error);
}

TEST(Ledger, CountsTheSameWithAndWithoutMemory) {
  Ledger real(at::kCPU), counting(at::kMeta);
  for (Ledger* ledger : {&real, &counting}) {
    Workspace workspace(*ledger);
    workspace.get(Owner::activations, "a", {3, 5}, at::kFloat);
    workspace.get(Owner::activations, "a", {2, 5}, at::kBFloat16);
    workspace.get(Owner::activations, "a", {7, 5}, at::kFloat);
    ledger->zeros(Owner::moments, {10}, at::kByte);
    EXPECT_EQ(ledger->bytes(Owner::activations), 140);
    EXPECT_EQ(ledger->total(), 150);
  }
}

TEST(FormatBytes, StatesItsUnits) {
  EXPECT_EQ(format_bytes(1536), "1.50 KiB");
  EXPECT_EQ(format_bytes(1500, false), "1.50 kB");
  EXPECT_EQ(format_bytes(7), "7 B");
}

// As root, a rename would replace the device for all processes.
TEST(AtomicFile, WritesIntoWhatIsNoRegularFile) {
  const Folder folder;
  const Path fifo = folder.path / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const int reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK);
  write_file_atomically(fifo, "text");
  char got[8] = {};
  EXPECT_EQ(::read(reader, got, sizeof got), 4);
  ::close(reader);
  EXPECT_STREQ(got, "text");
  EXPECT_TRUE(std::filesystem::is_fifo(std::filesystem::symlink_status(fifo)));
  std::filesystem::create_symlink("/dev/null", folder.path / "null");
  write_file_atomically(folder.path / "null", "text");
  EXPECT_TRUE(std::filesystem::is_symlink(folder.path / "null"));
}

TEST(AtomicFile, ANamedOutputMayBeALink) {
  const Folder folder;
  const Path target = folder.path / "target", link = folder.path / "link";
  std::filesystem::create_symlink("target", link);
  for (const char* text : {"new", "replaced"}) {
    write_file_atomically(behind_link(link), text);
    EXPECT_TRUE(std::filesystem::is_symlink(link));
    EXPECT_EQ(read_file(target), text);
  }
  EXPECT_EQ(behind_link(target), target);
  EXPECT_EQ(behind_link("/dev/stdout"), Path("/dev/stdout"));
}

}  // namespace
}  // namespace galore
