#include "core/update_share.h"

#include <bit>

namespace galore {
namespace {

// Returns where the children of a node of at least two groups meet.
int64_t middle_of(TreeNode node) {
  const auto below = static_cast<uint64_t>(node.end - node.begin - 1);
  return node.begin + static_cast<int64_t>(std::bit_floor(below));
}

}  // namespace

bool is_tree_node(int64_t leaves, TreeNode node) {
  for (TreeNode at{0, leaves}; at.end - at.begin >= node.end - node.begin;) {
    if (at == node) return true;
    if (at.end - at.begin < 2) return false;
    const int64_t middle = middle_of(at);
    if (node.begin >= middle)
      at.begin = middle;
    else
      at.end = middle;
  }
  return false;
}

std::vector<TreeNode> largest_nodes(int64_t leaves, TreeNode range) {
  TreeSum sum(leaves);
  for (int64_t leaf = range.begin; leaf < range.end; ++leaf) sum.push({leaf, leaf + 1}, [](size_t) {});
  return sum.nodes();
}

}  // namespace galore
