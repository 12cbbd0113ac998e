// Tests that the order of additions does not depend on the number of processes.
#include "core/update_share.h"

#include <gtest/gtest.h>

#include <string>

namespace galore {
namespace {

// Writes sums with brackets, so that another order gives another text.
void add_last(std::vector<std::string>& values, size_t i) {
  values[i] = "(" + values[i] + "+" + values.back() + ")";
  values.pop_back();
}

std::string sum_of_one(const UpdateShare& share) {
  std::vector<std::string> values;
  TreeSum tree(share.leaves());
  for (int64_t group = 0; group < share.leaves(); ++group) {
    values.push_back(std::to_string(group));
    tree.push({group, group + 1}, [&](size_t i) { add_last(values, i); });
  }
  return values.size() == 1 ? values[0] : "no sum";
}

// Returns the sum of partial sums that `share.processes` processes have made.
std::string sum_of_many(const UpdateShare& share) {
  std::vector<std::string> values;
  TreeSum tree(share.leaves());
  for (int64_t process = 0; process < share.processes; ++process) {
    const UpdateShare own = share.of_process(process);
    std::vector<std::string> parts;
    TreeSum inner(share.leaves());
    for (int64_t group = own.first_group(); group < own.end_group(); ++group) {
      parts.push_back(std::to_string(group));
      inner.push({group, group + 1}, [&](size_t i) { add_last(parts, i); });
    }
    EXPECT_EQ(inner.nodes(), largest_nodes(share.leaves(), {own.first_group(), own.end_group()}));
    for (size_t i = 0; i < parts.size(); ++i) {
      values.push_back(parts[i]);
      tree.push(inner.nodes()[i], [&](size_t k) { add_last(values, k); });
    }
  }
  return values.size() == 1 ? values[0] : "no sum";
}

TEST(TreeSum, IsTheSameForEveryNumberOfProcesses) {
  for (int64_t groups = 1; groups <= 40; ++groups)
    for (int64_t processes = 1; processes <= groups; ++processes)
      for (const int64_t missing : {int64_t{0}, groups / 3, groups}) {
        const UpdateShare share{2 * groups, groups, processes, 0, missing};
        ASSERT_EQ(sum_of_many(share), sum_of_one(share)) << groups << " " << processes << " " << missing;
      }
}

TEST(TreeSum, SplitsAtTheLargestPowerOfTwo) {
  EXPECT_EQ(sum_of_one({6, 6, 1, 0, 0}), "(((0+1)+(2+3))+(4+5))");
  EXPECT_EQ(sum_of_one({6, 6, 1, 0, 3}), "((0+1)+2)");
  EXPECT_EQ(largest_nodes(8, {1, 7}), (std::vector<TreeNode>{{1, 2}, {2, 4}, {4, 6}, {6, 7}}));
}

TEST(UpdateShare, GivesEachMicroBatchToOneProcess) {
  for (const int64_t missing : {0, 1, 5, 8}) {
    UpdateShare share{9, 5, 4, 0, missing};
    int64_t next = 0;
    for (share.index = 0; share.index < share.processes; ++share.index) {
      if (share.idle()) continue;
      EXPECT_EQ(share.first(), next);
      next = share.end();
    }
    EXPECT_EQ(next, share.present());
  }
  EXPECT_TRUE((UpdateShare{4, 4, 4, 3, 1}).idle());
  EXPECT_EQ((UpdateShare{8, 3, 3, 1, 0}).count(), 3);  // "8 micro-batches on 3 processes: 2, 3, 3"
}

}  // namespace
}  // namespace galore
