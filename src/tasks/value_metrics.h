// The metrics of value heads.
//
//   eval_loss               mean loss of all targets
//   eval_excess_loss        the loss without the target's entropy, which no prediction can avoid
//   eval_mae, eval_pearson  mean absolute error and correlation of read-outs and targets; the target of c51
//                           is the mean of its distribution, so a number outside of the support counts as
//                           the nearest end
//   eval_calibration_error  distance of the spread from the error that it foretells (statistics.h)
//   eval_pair_accuracy      share of the pairs whose preferred side has the higher value
#pragma once

#include <memory>
#include <vector>

#include "tasks/task.h"

namespace galore {

const std::vector<MetricKind>& value_metrics();
std::unique_ptr<MetricSum> new_value_metrics();

}  // namespace galore
