// Watches whether rounding to bf16 lets the weights move. An update below half a unit in the last place
// vanishes when a bf16 weight is rounded to nearest, so a run with a small learning rate may change next to
// nothing, with a loss that only looks as if it had converged.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/parameter.h"

namespace galore {

class MovementWatch {
 public:
  // Compares the weights before and after this many updates. The first numbers to move do so in each update,
  // and more updates hardly add to them, because the rounding starts again from the same weight.
  static constexpr int64_t kUpdates = 10;
  // A note is due if no matrix has a larger share of numbers that changed. With a step of 0.001 of the
  // weights' size, which is common, most numbers change; a tenth means that only the smallest ones do.
  static constexpr double kShare = 0.1;

  // Samples the trainable bf16 matrices of `parameters`, which must outlive this object, once update number
  // `first` is to begin.
  MovementWatch(const ParameterList& parameters, int64_t first);

  // `step` updates are done.
  void before_update(int64_t step);
  // Returns a note if the weights hardly moved.
  std::optional<std::string> after_update(int64_t step);

 private:
  struct Sample {
    const Parameter* parameter;
    at::Tensor before;
  };

  ParameterList matrices_;
  int64_t first_;
  std::vector<Sample> samples_;
};

}  // namespace galore
