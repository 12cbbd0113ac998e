// The input of one forward pass. Legend: B rows, T positions of a row.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>

namespace galore {

// How targets follow from rewards and the outputs of a target network.
struct BackupRule {
  int64_t steps = 0;               // n of n-step returns; 0: lambda returns
  double conservative_weight = 0;  // of the next-token cross entropy that is added to the loss of actions
};

// The numbers that a task compares its predictions with.
struct Targets {
  // B x T int64: the id that position t should predict (the row's next token for causal models), and
  // kIgnoredLabel where nothing is predicted.
  at::Tensor labels;
  // Targets that count. Losses are divided by the sum over an update's batches.
  int64_t count = 0;
  // Heads that score chosen positions use the next three members instead of the labels. `places` holds N
  // tokens of the batch, counted row by row. `values` (N x k, fp64) holds a number or a class for each place
  // (k = 1), or a distribution over the head's outputs. With `pairs`, places 2 i and 2 i + 1 are the
  // preferred and the rejected one of a pair, and there are no values.
  at::Tensor places = {}, values = {};
  bool pairs = false;
  // N int64: the action taken at each place, for heads that value actions.
  at::Tensor actions = {};
  // N x 3, fp64: reward, discount of the next place's value (0 where an episode ends) and lambda. A head then
  // forms its targets from the outputs of a target network, and `values` does not count. A reward that is not
  // a number marks a place that is only the next state of the place before it.
  at::Tensor transitions = {};
  // N x k fp32: the outputs of the target network. Undefined: the head computes them by its own copy of its
  // weight (Head::set_target_weight()).
  at::Tensor target_outputs = {};
  BackupRule backup = {};
};

// All tensors are on the CPU. A position sees one contiguous range of the keys of its row; that describes
// causal, windowed, padded, bidirectional and packed-but-separate attention in one form.
struct Batch {
  at::Tensor ids;        // B x T int64
  at::Tensor positions;  // B x T int64, from 0 in each document; undefined: 0 to T - 1 in every row
  // B x T int32: position t sees the keys [first_key, end_key) of its row. Undefined: [0, t + 1), which is
  // causal attention, or [0, T) in models whose attention is bidirectional. A layer with a sliding window
  // narrows the range further.
  at::Tensor first_key, end_key;
  Targets targets;
  at::Tensor source = {};  // B int32: the source of each row, if the rows are from a mixture of sources
  // B x T int64, the part of the input that a token belongs to; undefined: all 0
  at::Tensor token_types = {};

  bool empty() const { return !ids.defined(); }
  int64_t rows() const { return ids.size(0); }
  int64_t length() const { return ids.size(1); }
};

// The sum of the losses of one or several batches.
struct LossSum {
  double loss = 0;         // sum over all targets; cross entropy of tokens uses the natural logarithm
  int64_t num_tokens = 0;  // targets that count
  // Not a number if no target counts, because a loss of 0 would pass for the best of all.
  double mean() const {
    return num_tokens > 0 ? loss / static_cast<double>(num_tokens) : std::numeric_limits<double>::quiet_NaN();
  }
  LossSum& operator+=(const LossSum& other) {
    loss += other.loss;
    num_tokens += other.num_tokens;
    return *this;
  }
};

// The place of a micro-batch in a training run. Dropout masks depend on it, on the place in the model and on
// the element alone. So recomputation and a resumed run draw the same masks, and so does an update that is
// cut into other micro-batches, unless the examples of a micro-batch share rows.
struct DropoutPlace {
  uint64_t seed = 0;
  int64_t update = 0;
  int64_t first_row = 0;  // number of the update's examples before this micro-batch
};

// Returns the targets of a causal model: position t predicts the label at t + 1, and the last position of a
// row predicts nothing. labels: B x T int64, with kIgnoredLabel where nothing is predicted.
Targets next_token_targets(const at::Tensor& labels);
// Returns a batch of rows that start at position 0 and see all earlier positions.
Batch next_token_batch(const at::Tensor& ids, const at::Tensor& labels);

}  // namespace galore
