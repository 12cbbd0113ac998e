#include "tasks/token_losses.h"

#include <nlohmann/json.hpp>

#include "core/labels.h"

namespace galore {

void write_token_losses(const Batch& batch, const Predictions& predictions, const TakeRow& take) {
  const double* loss = predictions.losses.const_data_ptr<double>();
  const at::Tensor labels = batch.targets.labels.contiguous();
  const int64_t* label = labels.const_data_ptr<int64_t>();
  for (int64_t row = 0; row < batch.rows(); ++row) {
    LossSum sum;
    for (int64_t t = 0; t < batch.length(); ++t, ++loss, ++label) {
      if (*label == kIgnoredLabel) continue;
      sum.loss += *loss;
      ++sum.num_tokens;
    }
    nlohmann::ordered_json out{{"loss", nullptr}, {"num_tokens", sum.num_tokens}};
    if (sum.num_tokens > 0) out["loss"] = sum.mean();
    take(out);
  }
}

}  // namespace galore
