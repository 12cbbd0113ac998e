#include "nn/mlp.h"

#include "nn/gated_mlp.h"
#include "nn/plain_mlp.h"

namespace galore {

std::unique_ptr<Mlp> make_mlp(const std::string& name, const MlpSize& size, const WeightSpace& space) {
  if (size.activation == Activation::silu_gated) return std::make_unique<GatedMlp>(name, size, space);
  return std::make_unique<PlainMlp>(name, size, space);
}

}  // namespace galore
