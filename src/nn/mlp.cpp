#include "nn/mlp.h"

#include <fmt/ranges.h>

#include "core/errors.h"
#include "kernels/activation.h"
#include "nn/expert_mlp.h"
#include "nn/gated_mlp.h"
#include "nn/plain_mlp.h"

namespace galore {

std::unique_ptr<Mlp> make_mlp(const Place& place, const MlpSize& size, const LayerBuilder& builder) {
  if (!find_activation(size.activation))
    fail("model", "unknown activation '{}'; known: {}", size.activation, fmt::join(activation_names(), ", "));
  if (size.experts.count > 0) return std::make_unique<ExpertMlp>(place, size, builder);
  if (size.gated) return std::make_unique<GatedMlp>(place, size, builder);
  return std::make_unique<PlainMlp>(place, size, builder);
}

}  // namespace galore
