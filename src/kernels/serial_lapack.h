// Runs small factorizations on one thread.
#pragma once

#include <cstdint>

namespace galore {

// While an object of this class exists, MKL works on one thread here if the matrix is small. A factorization
// of a few hundred rows starts threads for every column, and on a busy machine they wait for each other much
// longer than they work (measured: a refresh of 56 bases took 12 s instead of 1). Without MKL nothing
// happens.
class SerialLapack {
 public:
  explicit SerialLapack(int64_t rows);
  ~SerialLapack();
  SerialLapack(const SerialLapack&) = delete;
  SerialLapack& operator=(const SerialLapack&) = delete;

 private:
  bool active_;
  int before_ = 0;
};

}  // namespace galore
