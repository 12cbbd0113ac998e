// Builds the tensors of a batch from rows of examples.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/batch.h"

namespace galore {

// The tokens of one row, without padding.
struct ExampleRow {
  std::vector<int64_t> ids;
  std::vector<int64_t> labels;  // one for each id, as in the data file; empty: none is counted
  // The positions at which the row's examples end, in ascending order, if each example has attention and
  // positions of its own. If it is empty, the row is one sequence.
  std::vector<int64_t> ends;
  // The positions that a score head rates, and k numbers for each of them as the target (core/batch.h).
  // Places without numbers are pairs. Rows of language models have neither.
  std::vector<int64_t> places = {};
  std::vector<double> values = {};
  // For each place the action, and three numbers of its transition (core/batch.h), or neither.
  std::vector<int64_t> actions = {};
  std::vector<double> transitions = {};
  int64_t num_targets = 0, num_clipped = 0;  // targets of the row, and those outside of the head's support
  std::vector<int64_t> types = {};           // token types, one for each id; empty: all 0
};

// Holds for each row the positions at which its examples end, in ascending order. Each row has at least one.
using ExampleEnds = std::vector<std::vector<int64_t>>;

// The rows of one batch, padded to one length.
struct ExampleRows {
  at::Tensor ids;                            // B x T int64
  at::Tensor labels;                         // B x T int64, kIgnoredLabel at padding
  ExampleEnds ends;                          // one entry for each of the B rows
  std::vector<std::vector<int64_t>> places;  // ExampleRow::places and ::values of each row
  std::vector<std::vector<double>> values;
  std::vector<std::vector<int64_t>> actions = {};
  std::vector<std::vector<double>> transitions = {};
};

// Makes a task's targets. The function may be called on several threads at once.
using MakeTargets = std::function<Targets(const ExampleRows&)>;

// Returns targets in which position t predicts the label of t + 1 if both tokens belong to the same example.
Targets next_token_targets(const ExampleRows& rows);

// Returns the targets of a score head. Rows with and without numbers in one batch, or with different counts
// of numbers for a place, are an Error.
Targets score_targets(const ExampleRows& rows, const BackupRule& backup = {});

struct RowPadding {
  int64_t id = 0;          // id at the positions after a row's tokens
  int64_t min_length = 2;  // rows are padded to the longest row, and to at least this length
  // Rows are padded to a multiple of this number, but not beyond max_length. Few lengths mean few kinds of
  // matrix products, each of which costs libraries time and memory at its first use.
  int64_t multiple = 1, max_length = 0;
  bool bidirectional = false;  // tokens see all tokens of their example, not only earlier ones
};

// Builds a batch. Without `make_targets` the targets are next_token_targets().
//
// positions, first_key and end_key are filled if a row holds several examples: an example's positions start
// at 0, and position t sees the keys from the example's start to t. A padding position then has position 0
// and sees only itself. If attention is bidirectional, the ranges of keys are always filled. In other batches
// the three tensors stay undefined: padding follows the tokens of a row, so causal attention never shows it
// to them. Token types are filled if a row has some.
Batch build_batch(const std::vector<ExampleRow>& rows, const RowPadding& padding,
                  const MakeTargets& make_targets = {});

}  // namespace galore
