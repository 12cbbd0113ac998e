#include "heads/value_backup.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "core/errors.h"

namespace galore {
namespace {

using Numbers = std::vector<double>;

// The value of each place in the form of a target, from the outputs of a target network.
class PlaceValues {
 public:
  PlaceValues(const ValueSupport& support, const at::Tensor& outputs)
      : support_(support),
        locations_(support.loss == ValueLoss::c51 ? locations(support) : Numbers()),
        outputs_(outputs.to(at::kCPU, at::kFloat).contiguous()) {}

  int64_t width() const { return is_wide() ? outputs_.size(1) : 1; }
  Numbers at(int64_t place) const {
    const auto count = static_cast<size_t>(outputs_.size(1));
    const std::span<const float> row(outputs_.const_data_ptr<float>() + static_cast<size_t>(place) * count,
                                     count);
    if (support_.loss == ValueLoss::quantile) return {row.begin(), row.end()};
    if (support_.loss != ValueLoss::c51) return {read_out(support_, row).value};
    const at::Tensor shares = outputs_[place].to(at::kDouble).softmax(0);
    return {shares.const_data_ptr<double>(), shares.const_data_ptr<double>() + count};
  }
  // Returns reward + discount * value.
  Numbers shifted(double reward, double discount, const Numbers& value) const {
    Numbers moved = support_.loss == ValueLoss::c51 ? locations_ : value;
    for (double& number : moved) number = reward + discount * number;
    if (support_.loss != ValueLoss::c51) return moved;
    Numbers shares(value.size());
    project(support_, moved, value, shares);
    return shares;
  }

 private:
  bool is_wide() const { return support_.loss == ValueLoss::c51 || support_.loss == ValueLoss::quantile; }

  const ValueSupport& support_;
  Numbers locations_;
  at::Tensor outputs_;
};

struct Transition {
  double reward, discount, lambda;
};

class Episodes {
 public:
  explicit Episodes(const at::Tensor& transitions)
      : rows_(transitions.contiguous()), count_(transitions.size(0)) {}

  int64_t count() const { return count_; }
  Transition at(int64_t place) const {
    const double* row = rows_.const_data_ptr<double>() + 3 * place;
    return {row[0], row[1], row[2]};
  }
  bool has_target(int64_t place) const { return !std::isnan(at(place).reward); }
  // Says whether the value of the next place counts.
  bool goes_on(int64_t place) const {
    const bool goes = at(place).discount != 0;
    GALORE_ASSERT(!goes || place + 1 < count_);
    return goes;
  }

 private:
  at::Tensor rows_;
  int64_t count_;
};

Numbers n_step_target(const Episodes& episodes, const PlaceValues& values, int64_t first, int64_t steps) {
  double reward = 0, discount = 1;
  int64_t place = first;
  for (int64_t n = 0; n < steps && episodes.has_target(place); ++n) {
    reward += discount * episodes.at(place).reward;
    const bool goes_on = episodes.goes_on(place);
    discount *= episodes.at(place).discount;
    if (!goes_on) break;
    ++place;
  }
  return values.shifted(reward, discount, values.at(place));
}

Numbers mixed(double share, const Numbers& first, const Numbers& second) {
  Numbers sum(first.size());
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = (1 - share) * first[i] + share * second[i];
  return sum;
}

// Returns the target of a place from that of the next place; `next` is empty if the next place has none.
Numbers lambda_target(const Episodes& episodes, const PlaceValues& values, int64_t place,
                      const Numbers& next) {
  const Transition own = episodes.at(place);
  if (!episodes.goes_on(place)) return values.shifted(own.reward, 0, values.at(place));
  const Numbers value = values.at(place + 1);
  return values.shifted(own.reward, own.discount, next.empty() ? value : mixed(own.lambda, value, next));
}

}  // namespace

at::Tensor backed_up_targets(const ValueSupport& support, const at::Tensor& outputs,
                             const at::Tensor& transitions, int64_t steps) {
  GALORE_ASSERT(transitions.dim() == 2 && transitions.size(1) == 3 && outputs.size(0) == transitions.size(0));
  const PlaceValues values(support, outputs);
  const Episodes episodes(transitions);
  const int64_t width = values.width();
  const at::Tensor targets = at::empty({episodes.count(), width}, at::kDouble);
  double* out = targets.mutable_data_ptr<double>();
  Numbers target;
  for (int64_t place = episodes.count(); place-- > 0;) {
    if (!episodes.has_target(place))
      target.clear();
    else
      target = steps > 0 ? n_step_target(episodes, values, place, steps)
                         : lambda_target(episodes, values, place, target);
    for (int64_t i = 0; i < width; ++i)
      out[place * width + i] =
          target.empty() ? std::numeric_limits<double>::quiet_NaN() : target[static_cast<size_t>(i)];
  }
  return targets;
}

at::Tensor one_step_targets(const ValueSupport& support, const at::Tensor& rewards,
                            const at::Tensor& discounts, const at::Tensor& next_outputs) {
  GALORE_ASSERT(rewards.numel() == next_outputs.size(0) && discounts.numel() == rewards.numel());
  const PlaceValues values(support, next_outputs);
  const at::Tensor reward = rewards.to(at::kCPU, at::kDouble).contiguous(),
                   discount = discounts.to(at::kCPU, at::kDouble).contiguous();
  const at::Tensor targets = at::empty({rewards.numel(), values.width()}, at::kDouble);
  double* out = targets.mutable_data_ptr<double>();
  for (int64_t i = 0; i < rewards.numel(); ++i) {
    const Numbers target = values.shifted(reward.const_data_ptr<double>()[i],
                                          discount.const_data_ptr<double>()[i], values.at(i));
    out = std::copy(target.begin(), target.end(), out);
  }
  return targets;
}

}  // namespace galore
