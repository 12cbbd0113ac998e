#include "train/evaluation.h"

#include <chrono>
#include <cmath>

namespace galore {

Evaluation evaluate(CausalLM& model, BatchSource& data, int64_t max_batches,
                    const std::function<bool()>& is_unwanted) {
  const auto start = std::chrono::steady_clock::now();
  data.seek({});
  Evaluation result;
  LossSum total;
  double sum_of_means = 0;
  while (max_batches == 0 || result.num_batches < max_batches) {
    if (is_unwanted && is_unwanted()) {
      result.interrupted = true;
      return result;
    }
    const auto batch = data.next();
    if (!batch) break;
    const LossSum loss = model.evaluate(*batch);
    total.loss += loss.loss;
    total.num_tokens += loss.num_tokens;
    sum_of_means += loss.mean();
    ++result.num_batches;
  }
  result.loss = total.mean();
  result.perplexity = std::exp(result.loss);
  result.loss_family = sum_of_means / static_cast<double>(result.num_batches + 1);
  result.num_tokens = total.num_tokens;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace galore
