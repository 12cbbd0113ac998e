#include "data/mixture_options.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numeric>
#include <set>

#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

constexpr const char* kMixture = "mixture";

void set_key(MixtureItem& item, const std::string& key, const std::string& value) {
  if (key == "name")
    item.name = value;
  else if (key == "files")
    item.files = split_list(value);
  else if (key == "eval_files")
    item.eval_files = split_list(value);
  else if (key == "weight")
    item.weight = parse_number(kMixture, key, value);
  else if (key == "max_epochs")
    item.max_epochs = parse_number(kMixture, key, value);
  else
    fail_usage(kMixture, "expected name, files, eval_files, weight or max_epochs, given '{}'", key);
}

void check_item(const MixtureItem& item) {
  const bool is_plain = std::all_of(item.name.begin(), item.name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.';
  });
  if (item.name.empty() || !is_plain)
    fail_usage(kMixture, "expected a name of letters, digits, '_', '-' and '.', given '{}'", item.name);
  if (item.files.empty()) fail_usage(kMixture, "{}: expected one or more files, given none", item.name);
  if (item.weight && !(*item.weight >= 0 && std::isfinite(*item.weight)))
    fail_usage(kMixture, "{}: expected a weight of at least 0, given {}", item.name, *item.weight);
  if (!(item.max_epochs >= 0 && std::isfinite(item.max_epochs)))
    fail_usage(kMixture, "{}: expected max_epochs of at least 0, given {}", item.name, item.max_epochs);
}

void check_all(const std::vector<MixtureItem>& items) {
  std::set<std::string> names;
  int64_t weighted = 0;
  double sum = 0;
  for (const MixtureItem& item : items) {
    check_item(item);
    if (!names.insert(item.name).second)
      fail_usage(kMixture, "expected each name once, given '{}' twice", item.name);
    weighted += item.weight.has_value();
    sum += item.weight.value_or(0);
  }
  if (weighted != 0 && weighted != std::ssize(items))
    fail_usage(kMixture, "expected a weight for all sources or for none, given {} weights for {} sources",
               weighted, items.size());
  if (weighted > 0 && !(sum > 0)) fail_usage(kMixture, "expected a weight above 0, given none");
}

}  // namespace

std::vector<MixtureItem> parse_mixture(const std::string& text) {
  std::vector<MixtureItem> items;
  for (const std::string& part : split_list(text, ';')) {
    MixtureItem item;
    for (const auto& [key, value] : parse_pairs(kMixture, part)) set_key(item, canonical_name(key), value);
    items.push_back(std::move(item));
  }
  if (items.empty()) fail_usage(kMixture, "expected one or more sources, given none");
  check_all(items);
  return items;
}

std::vector<double> mixture_weights(const std::vector<MixtureItem>& items, const std::vector<int64_t>& sizes,
                                    double temperature) {
  std::vector<double> weights;
  for (size_t k = 0; k < items.size(); ++k)
    weights.push_back(items[k].weight.value_or(static_cast<double>(sizes[k])));
  const double largest = *std::max_element(weights.begin(), weights.end());
  for (double& weight : weights)
    if (weight > 0) weight = std::pow(weight / largest, 1 / temperature);
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  return weights;
}

MetricKind mixture_loss_metric(const std::string& source) {
  MetricKind kind;
  kind.name = "eval_" + source + "_loss";
  kind.title = "Evaluation loss: " + source;
  return kind;
}

}  // namespace galore
