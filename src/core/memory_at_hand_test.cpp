// Tests the memory limits against the files of an imaginary system, and once against the real one.
#include "core/memory_at_hand.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "core/errors.h"
#include "core/files.h"
#include "core/memory.h"

namespace galore {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

class System : public testing::Test {
 protected:
  System()
      : root_(std::filesystem::temp_directory_path() / fmt::format("galore_system_test_{}", ::getpid())) {
    // 64 MiB are resident, and 40 MiB of them are not page cache.
    put("proc/self/status",
        "Name:\tgalore\nVmSize:\t 512000 kB\nVmRSS:\t   65536 kB\nRssAnon:\t 40960 kB\n"
        "RssShmem:\t 0 kB\nVmData:\t 102400 kB\n");
    put("proc/meminfo", "MemTotal:       8388608 kB\nMemAvailable:   4194304 kB\n");
    put_limits("unlimited", "unlimited");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void put(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root_ / name).parent_path());
    write_file_atomically(root_ / name, text);
  }
  void put_limits(const std::string& address_space, const std::string& data) {
    put("proc/self/limits",
        fmt::format("Limit                     Soft Limit           Hard Limit           Units\n"
                    "Max data size             {:<20} unlimited            bytes\n"
                    "Max address space         {:<20} unlimited            bytes\n",
                    data, address_space));
  }
  // Writes a cgroup of version 2 with a limit in MiB, or "max"; 300 MiB are used, 100 of them by the page
  // cache.
  void put_cgroup(const std::string& folder, const std::string& limit) {
    put(folder + "/memory.max", limit + "\n");
    put(folder + "/memory.current", fmt::format("{}\n", 300 * kMiB));
    put(folder + "/memory.stat",
        fmt::format("anon 1\ntotal_inactive_file 7\ninactive_file {}\n", 100 * kMiB));
  }
  MemoryAtHand at_hand(int threads = 1) const { return host_memory_at_hand(threads, root_.string()); }

  Path root_;
};

std::string mebibytes(int64_t count) { return std::to_string(count * kMiB); }

TEST_F(System, PhysicalMemoryAndWhatIsHeldOfIt) {
  EXPECT_EQ(at_hand().bytes, (4096 + 40) * kMiB);
  EXPECT_EQ(at_hand().held, 64 * kMiB);
  EXPECT_EQ(at_hand().source, "physical memory that is available");
}

TEST_F(System, TheInnermostOrOutermostCgroupOfVersion2) {
  put("proc/self/cgroup", "0::/user/run\n");
  put("proc/self/mountinfo",
      "30 1 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
  put_cgroup("sys/fs/cgroup/user/run", "max");
  put_cgroup("sys/fs/cgroup/user", "max");
  EXPECT_EQ(at_hand().bytes, (4096 + 40) * kMiB) << "no limit there";
  put_cgroup("sys/fs/cgroup/user", mebibytes(2048));
  EXPECT_EQ(at_hand().bytes, (2048 - (300 - 100 - 40)) * kMiB) << "others hold 160 MiB";
  EXPECT_EQ(at_hand().source, "limit of the cgroup /sys/fs/cgroup/user");
  put_cgroup("sys/fs/cgroup/user/run", mebibytes(1024));
  EXPECT_EQ(at_hand().bytes, (1024 - 160) * kMiB);
  EXPECT_EQ(at_hand().source, "limit of the cgroup /sys/fs/cgroup/user/run");
}

TEST_F(System, AContainerSeesTheEndOfItsPathOrOnlyTheMount) {
  put("proc/self/cgroup", "0::/\n");
  put("proc/self/mountinfo", "30 1 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  put_cgroup("sys/fs/cgroup", mebibytes(1024));
  EXPECT_EQ(at_hand().bytes, (1024 - 160) * kMiB);
  put("proc/self/cgroup", "0::/docker/abc/inner\n");
  put("proc/self/mountinfo", "30 1 0:27 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  put_cgroup("sys/fs/cgroup/inner", mebibytes(512));
  EXPECT_EQ(at_hand().source, "limit of the cgroup /sys/fs/cgroup/inner");
  put("proc/self/cgroup", "0::/../elsewhere\n");
  EXPECT_EQ(at_hand().source, "limit of the cgroup /sys/fs/cgroup");
}

TEST_F(System, CgroupsOfVersion1) {
  put("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/batch\n0::/\n");
  put("proc/self/mountinfo",
      "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
      "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  const std::string folder = "sys/fs/cgroup/memory/batch/";
  put(folder + "memory.limit_in_bytes", "9223372036854771712\n");
  put(folder + "memory.usage_in_bytes", mebibytes(300));
  put(folder + "memory.stat", fmt::format("inactive_file 7\ntotal_inactive_file {}\n", 100 * kMiB));
  EXPECT_EQ(at_hand().source, "physical memory that is available");
  put(folder + "memory.limit_in_bytes", mebibytes(1024));
  EXPECT_EQ(at_hand().bytes, (1024 - 160) * kMiB);
  put(folder + "memory.limit_in_bytes", mebibytes(100));
  EXPECT_EQ(at_hand().bytes, 0) << "never negative";
}

TEST_F(System, Ulimits) {
  put_limits(mebibytes(3000), "unlimited");
  EXPECT_EQ(at_hand().bytes, (3000 - 500 + 64 - 80) * kMiB);
  EXPECT_EQ(at_hand().source, "ulimit -v");
  EXPECT_EQ(at_hand(4).bytes, (3000 - 500 + 64 - 4 * 80) * kMiB) << "stacks and arenas";
  put_limits(mebibytes(3000), mebibytes(1000));
  EXPECT_EQ(at_hand().bytes, (1000 - 100 + 40 - 18) * kMiB);
  EXPECT_EQ(at_hand().source, "ulimit -d");
}

TEST_F(System, UnreadableFilesSetNoLimit) {
  put("proc/self/cgroup", "nonsense\n0::\n");
  put("proc/self/mountinfo", "30 1\n- - -\n30 1 0:27 / /sys/fs/cgroup rw - cgroup2\n");
  put("proc/self/limits", "Max address space");
  EXPECT_EQ(at_hand().source, "physical memory that is available");
  std::filesystem::remove_all(root_ / "proc");
  EXPECT_EQ(at_hand().source, "no limit is known");
}

TEST(MemoryAtHand, OfThisSystem) {
  const MemoryAtHand now = memory_at_hand(at::kCPU);
  EXPECT_GT(now.held, 0);
  EXPECT_GT(now.bytes, now.held);
}

// Small blocks below a block that stays allocated are not returned by the allocator itself.
TEST(MemoryAtHand, FreedMemoryIsNotHeld) {
  const int64_t before = memory_at_hand(at::kCPU).held;
  std::vector<std::unique_ptr<char[]>> blocks;
  for (int i = 0; i < 4096; ++i) {
    blocks.push_back(std::make_unique<char[]>(16 << 10));
    blocks.back()[0] = 1;
  }
  const auto last = std::move(blocks.back());
  EXPECT_GT(memory_at_hand(at::kCPU).held - before, 60 * kMiB);
  blocks.clear();
  // Less than a quarter of the 64 MiB may stay: AddressSanitizer keeps an eighth for its shadow memory.
  EXPECT_LT(memory_at_hand(at::kCPU).held - before, 16 * kMiB);
}

TEST(ParseBytes, UnderstandsUnits) {
  const auto parse = [](const std::string& text) { return parse_bytes("test", "memory_limit", text); };
  EXPECT_EQ(parse("22GiB"), int64_t{22} << 30);
  EXPECT_EQ(parse("1.5 MiB"), 3 << 19);
  EXPECT_EQ(parse("500MB"), 500000000);
  EXPECT_EQ(parse("2g"), int64_t{2} << 30);
  EXPECT_EQ(parse("4096"), 4096);
  EXPECT_EQ(parse("4096B"), 4096);
  EXPECT_EQ(parse("0"), 0);
  for (const char* wrong : {"", "GiB", "-1", "1XB", "1GiBB", "12 parsecs", "nan", "inf", "1e30"})
    EXPECT_THROW(parse(wrong), UsageError) << wrong;
}

}  // namespace
}  // namespace galore
