#include "heads/token_loss.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/errors.h"
#include "core/labels.h"
#include "kernels/value_distribution.h"

namespace galore {

void smoothed_cross_entropy(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels,
                            double gradient_scale, const LossOptions& options, const at::Tensor& scratch) {
  if (logits.is_meta()) return;
  const double smoothing = options.label_smoothing, ids = static_cast<double>(logits.size(1));
  const at::Tensor counts = labels.ne(kIgnoredLabel);
  const at::Tensor safe = labels.masked_fill(counts.logical_not(), 0).unsqueeze(1);
  const at::Tensor own = logits.gather(1, safe).squeeze(1).to(at::kDouble);
  const at::Tensor mean = logits.mean(1, /*keepdim=*/false, at::kDouble);
  const at::Tensor top = logits.amax(1, /*keepdim=*/true);
  scratch.copy_(logits).sub_(top).exp_();
  const at::Tensor sums = scratch.sum(1, /*keepdim=*/true, at::kFloat);
  const at::Tensor log_sum = sums.log().add_(top).squeeze(1).to(at::kDouble);
  losses.copy_((log_sum - own * (1 - smoothing) - mean * smoothing + log_sum.square() * options.z_loss) *
               counts);
  // The derivative of log_sum by the logits is the softmax.
  const at::Tensor factor = (log_sum * (2 * options.z_loss) + 1).to(at::kFloat).unsqueeze(1) / sums;
  logits.copy_(scratch.mul_(factor)).sub_(smoothing / ids);
  logits.scatter_add_(1, safe, at::full_like(safe, smoothing - 1, logits.options()));
  logits.mul_((counts * gradient_scale).to(logits.scalar_type()).unsqueeze(1));
}

namespace {

// The loss of a pair and its derivative by the difference of the log-ratios.
struct PairLoss {
  double loss, slope;
};

PairLoss loss_of_pair(double difference, const LossOptions& options) {
  if (options.preference == PreferenceLoss::ipo) {
    const double distance = difference - 1 / (2 * options.beta);
    return {distance * distance, 2 * distance};
  }
  const double z = options.beta * difference;
  return {negative_log_sigmoid(z), -options.beta / (1 + std::exp(z))};
}

// The sum of a document's log-probabilities, or their mean for IPO.
struct DocumentScore {
  double log_prob = 0, share = 1;  // share: of each token in log_prob
};

DocumentScore score_of(const double* loss, const int64_t* label, int64_t begin, int64_t end, bool is_mean) {
  DocumentScore score;
  int64_t count = 0;
  for (int64_t t = begin; t < end; ++t) {
    if (label[t] == kIgnoredLabel) continue;
    score.log_prob -= loss[t];
    ++count;
  }
  if (is_mean) score.share = 1 / static_cast<double>(std::max<int64_t>(1, count));
  score.log_prob *= score.share;
  return score;
}

}  // namespace

PairLosses pair_losses(const at::Tensor& losses, const at::Tensor& labels, const Targets& targets,
                       const LossOptions& options) {
  const double* loss = losses.const_data_ptr<double>();
  const int64_t* label = labels.const_data_ptr<int64_t>();
  const int64_t* place = targets.places.const_data_ptr<int64_t>();
  const double* reference = targets.values.const_data_ptr<double>();
  const int64_t pairs = targets.places.numel() / 3;
  const bool is_mean = options.preference == PreferenceLoss::ipo;
  PairLosses out;
  out.log_probs = at::empty({pairs, 2}, at::kDouble);
  out.weights.assign(static_cast<size_t>(losses.numel()), 0);
  double* log_prob = out.log_probs.mutable_data_ptr<double>();
  for (int64_t i = 0; i < pairs; ++i, place += 3, reference += 2, log_prob += 2) {
    const DocumentScore chosen = score_of(loss, label, place[0], place[1], is_mean);
    const DocumentScore rejected = score_of(loss, label, place[1], place[2], is_mean);
    log_prob[0] = chosen.log_prob, log_prob[1] = rejected.log_prob;
    const PairLoss pair = loss_of_pair((log_prob[0] - reference[0]) - (log_prob[1] - reference[1]), options);
    out.losses.push_back(pair.loss);
    out.sum.loss += pair.loss;
    ++out.sum.num_tokens;
    for (int64_t t = place[0]; t < place[2]; ++t)
      out.weights[static_cast<size_t>(t)] =
          static_cast<float>(t < place[1] ? -pair.slope * chosen.share : pair.slope * rejected.share);
  }
  return out;
}

}  // namespace galore
