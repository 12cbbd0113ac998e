#include "heads/head.h"

#include "nn/initialize.h"

namespace galore {

void Head::initialize(uint64_t seed, double initializer_range) {
  ParameterList own;
  list(own);
  for (Parameter* parameter : own) galore::initialize(*parameter, seed, initializer_range);
}

}  // namespace galore
