#include "nn/initialize.h"

#include "kernels/random_normal.h"

namespace galore {

void initialize(Parameter& parameter, uint64_t seed, double deviation) {
  if (parameter.role == Role::norm) {
    parameter.value.fill_(1);
    return;
  }
  if (parameter.role == Role::bias) {
    parameter.value.zero_();
    return;
  }
  const RandomStream stream(seed, "init", parameter.name);
  if (parameter.codes) {
    random_normal(*parameter.codes, deviation, stream);
  } else {
    random_normal(parameter.value, deviation, stream);
  }
}

}  // namespace galore
