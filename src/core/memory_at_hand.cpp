#include "core/memory_at_hand.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <vector>

#include "core/memory.h"
#include "core/options.h"

namespace galore {
namespace {

// The address space and data of a thread's stack and malloc arena: the measured growth of VmSize beyond VmRSS
// and of VmData beyond RssAnon in runs with 1 to 16 threads.
constexpr int64_t kAddressSpaceOfThread = int64_t{80} << 20, kDataOfThread = int64_t{18} << 20;

// Returns the text of a file, or "" when there is none. Files in proc/ report a size of zero, so read_file()
// cannot read them.
std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Returns the integer after `name` at the beginning of a line, or nothing for words such as "max".
std::optional<int64_t> number_after(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    std::istringstream rest(line.substr(name.size()));
    int64_t number = 0;
    if (rest >> number) return number;
  }
  return std::nullopt;
}

int64_t kibibytes_after(const std::string& text, const std::string& name) {
  return number_after(text, name).value_or(0) * 1024;
}

struct Holdings {
  int64_t resident, own_pages, address_space, data;
};

Holdings holdings(const std::string& root) {
  const std::string status = text_of(root + "/proc/self/status");
  // Pages of files (the program and its libraries) are page cache, which the kernel counts as available.
  return {kibibytes_after(status, "VmRSS:"),
          kibibytes_after(status, "RssAnon:") + kibibytes_after(status, "RssShmem:"),
          kibibytes_after(status, "VmSize:"), kibibytes_after(status, "VmData:")};
}

struct CgroupVersion {
  const char *file_system, *limit, *usage, *page_cache;
};
constexpr CgroupVersion kVersions[] = {
    {"cgroup2", "memory.max", "memory.current", "inactive_file "},
    {"cgroup", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "}};

bool contains(const std::vector<std::string>& items, const char* item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

struct Mount {
  std::string root, point;
};

// Returns the mount point of this version's memory controller. A line of mountinfo reads "36 35 98:0 ROOT
// POINT options ... - TYPE source super-options".
std::optional<Mount> find_mount(const std::string& root, const CgroupVersion& version) {
  std::istringstream lines(text_of(root + "/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> fields = split_list(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 5 || fields.end() - dash < 4 || dash[1] != version.file_system) continue;
    if (dash[1] == "cgroup" && !contains(split_list(dash[3]), "memory")) continue;
    return Mount{fields[3], fields[4]};
  }
  return std::nullopt;
}

// Returns this process's cgroup from lines such as "0::/path" (version 2) and "4:memory:/path".
std::string cgroup_path(const std::string& root, const CgroupVersion& version) {
  const bool unified = version.file_system == std::string("cgroup2");
  std::istringstream lines(text_of(root + "/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool ours = unified ? controllers.empty() : contains(split_list(controllers), "memory");
    if (ours) return line.substr(second + 1);
  }
  return "/";
}

// Returns the path below the mount. In a container the path may be the host's, of which the mount shows only
// the end.
std::string path_below(const std::string& path, const Mount& mount) {
  const std::string prefix = mount.root == "/" ? "" : mount.root;
  const bool below = path == prefix || path.starts_with(prefix + "/");
  return below && path.find("/..") == std::string::npos ? path.substr(prefix.size()) : "";
}

using Limits = std::vector<MemoryAtHand>;

void add_cgroups(Limits& limits, const std::string& root, const CgroupVersion& version, int64_t own_pages) {
  const auto mount = find_mount(root, version);
  if (!mount) return;
  std::string below = path_below(cgroup_path(root, version), *mount);
  while (true) {  // goes outwards from the innermost group, because the parents' limits hold too
    while (below.ends_with('/')) below.pop_back();
    const std::string folder = mount->point + below, files = root + folder + "/";
    const auto limit = number_after(text_of(files + version.limit), "");
    const auto usage = number_after(text_of(files + version.usage), "");
    if (limit && usage) {
      const int64_t cache = number_after(text_of(files + "memory.stat"), version.page_cache).value_or(0);
      const int64_t used = std::max<int64_t>(0, *usage - cache - own_pages);
      limits.push_back({std::max<int64_t>(0, *limit - used), 0, "limit of the cgroup " + folder});
    }
    if (below.empty()) return;
    below.resize(below.rfind('/'));
  }
}

// Adds a ulimit. `mapped` bytes of it are taken, and `resident` of these are part of a plan's total.
void add_ulimit(Limits& limits, const std::string& table, const char* name, const char* source,
                int64_t mapped, int64_t resident) {
  if (const auto limit = number_after(table, name))
    limits.push_back({std::max<int64_t>(0, *limit - mapped + resident), 0, source});
}

}  // namespace

MemoryAtHand host_memory_at_hand(int threads, const std::string& root) {
  return_freed_memory();
  const Holdings own = holdings(root);
  Limits limits{{std::numeric_limits<int64_t>::max(), 0, "no limit is known"}};
  if (const auto kibibytes = number_after(text_of(root + "/proc/meminfo"), "MemAvailable:"))
    limits.push_back({*kibibytes * 1024 + own.own_pages, 0, "physical memory that is available"});
  for (const CgroupVersion& version : kVersions) add_cgroups(limits, root, version, own.own_pages);
  const std::string table = text_of(root + "/proc/self/limits");
  add_ulimit(limits, table, "Max address space", "ulimit -v",
             own.address_space + threads * kAddressSpaceOfThread, own.resident);
  add_ulimit(limits, table, "Max data size", "ulimit -d", own.data + threads * kDataOfThread, own.own_pages);
  MemoryAtHand least = *std::min_element(limits.begin(), limits.end(),
                                         [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
  least.held = own.resident;
  return least;
}

MemoryAtHand memory_at_hand(at::Device device) {
  if (device.is_cpu()) return host_memory_at_hand(at::get_num_threads());
  at::globalContext().lazyInitDevice(device.type());  // the allocator knows no device before this call
  auto* allocator = c10::getDeviceAllocator(device.type());
  const auto aggregate = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const auto statistics = allocator->getDeviceStats(device.index());
  const auto free = static_cast<int64_t>(allocator->getMemoryInfo(device.index()).first);
  return {free + statistics.reserved_bytes[aggregate].current, statistics.allocated_bytes[aggregate].current,
          "free memory of " + device.str()};
}

}  // namespace galore
