#include "nn/mlp.h"

#include "nn/gated_mlp.h"
#include "nn/plain_mlp.h"

namespace galore {

std::unique_ptr<Mlp> make_mlp(const Place& place, const MlpSize& size, const LayerBuilder& builder) {
  if (size.activation == Activation::silu_gated) return std::make_unique<GatedMlp>(place, size, builder);
  return std::make_unique<PlainMlp>(place, size, builder);
}

}  // namespace galore
