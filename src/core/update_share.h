// The part of an update that one process computes, and the order in which gradients are added.
//
// An update has micro-batches, numbered in the order of the data and cut into groups of neighbours. The
// gradients of a group are added one after the other, and the sums of the groups by a binary tree. A process
// computes a run of groups. The order of all additions follows from the numbers of micro-batches and groups
// alone, so the sum has the same bits for every number of processes.
//
// The tree's node of the groups [begin, end) has two children, which meet at begin plus the largest power of
// two below end - begin. Without its last groups the tree is the tree of the remaining ones.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace galore {

struct UpdateShare {
  int64_t micro_batches = 1;  // of all processes
  int64_t groups = 1;         // at most as many as micro-batches, and at least as many as processes
  int64_t processes = 1, index = 0;
  int64_t missing = 0;  // micro-batches that the last update of a run lacks, because no rows are left
  // Whether the sums of all tree nodes are rounded to bf16, which halves the bytes that are sent. They are
  // rounded on the process that adds them as well, so the bits do not depend on the number of processes.
  bool narrow = false;

  int64_t present() const { return micro_batches - missing; }
  // Returns the number of the first micro-batch of a group, which is that of the next group if it is empty.
  int64_t first_of(int64_t group) const { return std::min(present(), group * micro_batches / groups); }
  int64_t size_of(int64_t group) const { return first_of(group + 1) - first_of(group); }
  // Returns the number of groups that have a micro-batch.
  int64_t leaves() const {
    int64_t count = groups;
    while (count > 0 && size_of(count - 1) == 0) --count;
    return count;
  }
  int64_t first_group() const { return std::min(leaves(), index * groups / processes); }
  int64_t end_group() const { return std::min(leaves(), (index + 1) * groups / processes); }
  // Return the micro-batches of this process: [first(), end()).
  int64_t first() const { return first_of(first_group()); }
  int64_t end() const { return first_of(end_group()); }
  int64_t count() const { return end() - first(); }
  // Returns true if no micro-batch is left for this process.
  bool idle() const { return count() == 0; }
  UpdateShare of_process(int64_t other) const {
    UpdateShare share = *this;
    share.index = other;
    return share;
  }
};

// The groups [begin, end).
struct TreeNode {
  int64_t begin = 0, end = 0;
  bool operator==(const TreeNode&) const = default;
};

// Returns true if the tree of `leaves` groups has this node.
bool is_tree_node(int64_t leaves, TreeNode node);
// Returns the largest nodes inside of [range.begin, range.end), from left to right. Their sums are all that
// the other processes need.
std::vector<TreeNode> largest_nodes(int64_t leaves, TreeNode range);

// Adds neighbouring nodes as soon as both children of a node are there. The values stand in a list that the
// caller keeps.
class TreeSum {
 public:
  explicit TreeSum(int64_t leaves = 1) : leaves_(leaves) {}
  // The value of the next node stands at the end of the list. For each addition it calls add(i), which adds
  // value i + 1, the last one, to value i and removes it.
  template <typename Add>
  void push(TreeNode node, const Add& add) {
    nodes_.push_back(node);
    while (nodes_.size() > 1 && is_tree_node(leaves_, {nodes_.end()[-2].begin, nodes_.back().end})) {
      add(nodes_.size() - 2);
      nodes_.end()[-2].end = nodes_.back().end;
      nodes_.pop_back();
    }
  }
  // Returns the nodes without a sum so far.
  const std::vector<TreeNode>& nodes() const { return nodes_; }

 private:
  int64_t leaves_;
  std::vector<TreeNode> nodes_;
};

}  // namespace galore
