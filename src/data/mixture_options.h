// The sources of a mixture, as users name them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/metric.h"

namespace galore {

struct MixtureItem {
  std::string name;                // letters, digits, '_', '-' and '.'
  std::vector<std::string> files;  // paths or globs
  std::vector<std::string> eval_files = {};
  std::optional<double> weight = {};  // none: in proportion to the source's rows
  double max_epochs = 0;              // a source ends after this many passes over its rows; 0: never
};

// Parses "name=a,files=a.txt,weight=2;name=b,'files=b1.txt,b2.txt',max_epochs=3". Quotes hold the items of a
// list together. An unknown key, a missing name or file, equal names, a negative weight, and weights for only
// some of the sources are UsageErrors.
std::vector<MixtureItem> parse_mixture(const std::string& text);

// Returns weights that sum to 1. Without given weights they are in proportion to `sizes`. A temperature T
// raises each share to the power 1 / T: above 1, small sources gain; at infinity, all sources with a weight
// are equal (the sampling of multilingual BERT and of T5, arXiv 1910.10683, section 3.5.2).
std::vector<double> mixture_weights(const std::vector<MixtureItem>& items, const std::vector<int64_t>& sizes,
                                    double temperature);

// Returns the metric of a source: the mean loss of a token of its evaluation data, "eval_NAME_loss".
MetricKind mixture_loss_metric(const std::string& source);

}  // namespace galore
