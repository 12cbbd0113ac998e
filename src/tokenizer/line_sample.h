// Draws a uniform sample of the lines of a stream of unknown length by reservoir sampling (Vitter's algorithm
// R, 1985).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/random.h"

namespace galore {

class LineSample {
 public:
  LineSample(size_t count, uint64_t seed) : count_(count), random_(seed, "tokenizer sentences") {}

  void offer(const std::string& line) {
    if (lines_.size() < count_)
      lines_.push_back(line);
    else if (const uint64_t slot = random_.below(seen_ + 1); slot < count_)
      lines_[slot] = line;
    ++seen_;
  }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  size_t count_;
  RandomStream random_;
  uint64_t seen_ = 0;
  std::vector<std::string> lines_;
};

}  // namespace galore
