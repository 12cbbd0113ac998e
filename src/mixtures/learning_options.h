// The options by which a mixture learns its weights: mixture_learning and mixture_args.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace galore {

struct LearningOptions {
  std::string method = "none";  // none, gar, doge or aioli
  // All methods.
  int64_t update_steps = 0;  // updates between two changes of the weights; 0: the method's default
  int64_t rows = 0;          // rows of a source in one measurement; 0: as many as cost 5 % of the updates
  double freeze = 0.1;       // share of the training, at its end, in which the weights stay fixed
  std::string final_weights = "last";  // weights of that part: last or average (mean over all measurements)
  // gar and doge: next (gar), sources (doge), uniform, or "a" or "a:2+b:1", a fixed mixture of sources.
  std::string target = "next";
  std::string inner = "exact";  // exact, projected, or both: exact, with the others logged
  // gar
  std::string form = "products";  // products or directional
  double learning_rate = 0.1, exploration = 0.05, ema = 0.9, step = 1e-2;
  // doge; mu, epsilon and the clipping are those of its code
  double mu = 0.01, epsilon = 0, max_norm = 5;
  // aioli, by the names of its code
  double eta = 1, one_hot_factor = 1;
  int64_t lp_steps = 5, lp_rounds = 1;

  bool learns() const { return method != "none"; }
};

std::vector<std::string> learning_methods();
// Returns the options of "k=v,k=v". A key that the method does not have, or a wrong value, is a UsageError.
LearningOptions parse_learning(const std::string& method, const std::string& args);

// Returns the weights of `target` for sources with these names; they sum to 1. Unknown names are a
// UsageError. The words that name no fixed mixture give nothing.
std::vector<double> target_weights(const std::string& target, const std::vector<std::string>& names);

// Returns the number of rows of a source in one measurement. `update_rows` is the number of rows of an
// update. With rows=0 the measurements take at most 5 % of the time of the updates between them, if one row
// allows it, and at most `most` rows.
int64_t measured_rows(const LearningOptions& options, int64_t num_sources, int64_t update_rows, int64_t most);

}  // namespace galore
