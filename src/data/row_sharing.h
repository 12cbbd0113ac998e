// Lets the examples of a batch share rows, so that a batch of short and long examples has little padding.
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch_builder.h"

namespace galore {

// Returns rows of at most `max_length` tokens, or as long as the longest example, that hold the examples.
// Each example keeps attention and positions of its own (ExampleRow::ends), so its outputs stay the same to
// rounding. The rows are about equally long: the longest examples come first, each into the shortest row
// (longest processing time first; R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", 1969). Lengths
// of shared rows count as multiples of `multiple`, but not beyond the most that a row may have. If rows of
// one example each, padded to the longest one, are not larger, the examples are returned.
std::vector<ExampleRow> share_rows(const std::vector<ExampleRow>& examples, int64_t max_length,
                                   int64_t multiple);

}  // namespace galore
