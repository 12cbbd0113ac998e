// Every preset reduces the loss of four small problems: least squares with a wide, a tall and a square
// matrix, and a logistic regression, each with a bias.
#include <ATen/ATen.h>

#include "optim/update_rules/sgd.h"
#include "variants.h"

namespace galore::battery {
namespace {

constexpr int64_t kTokens = 128;

struct Problem {
  std::string name;
  int64_t m, n;  // outputs, inputs
  bool logistic;
};

const std::vector<Problem> kProblems{
    {"wide", 12, 20, false}, {"tall", 20, 12, false}, {"square", 16, 16, false}, {"logistic", 10, 16, true}};

class Data {
 public:
  explicit Data(const Problem& problem)
      : problem_(problem), input_(random({kTokens, problem.n}, 1)), outputs_(input_.mm(teacher())) {}

  // Returns the mean loss over the tokens. With `backward`, passes its gradient to the sinks.
  double loss(TestRun& run, bool backward) const {
    const at::Tensor given = input_.mm(run.weight(kTall).t()) + run.weight(kNorm);
    at::Tensor gradient, losses;
    if (problem_.logistic) {
      const at::Tensor labels = outputs_.argmax(1, true), logs = given.log_softmax(1);
      losses = -logs.gather(1, labels);
      gradient = logs.exp().scatter_add(1, labels, at::full({kTokens, 1}, -1.0));
    } else {
      gradient = given - outputs_;
      losses = gradient.square().sum(1) / 2;
    }
    if (backward) {
      gradient = gradient / kTokens;
      run.parameter(kTall).sink->add_product(gradient, input_);
      run.parameter(kTall).sink->use_done();
      run.parameter(kNorm).sink->add(gradient.sum(0));
      run.parameter(kNorm).sink->use_done();
    }
    return losses.mean().item<double>();
  }

 private:
  at::Tensor teacher() const { return random({problem_.n, problem_.m}, 2); }
  Problem problem_;
  at::Tensor input_, outputs_;
};

// Returns the factor by which a method multiplies an update rule's direction, or 1. APOLLO uses the root of
// its `scale`.
double scale_of(const OptimizerSettings& settings) {
  const std::string text = option_text(settings, "scale");
  if (!option_text(settings, "scale_type").empty()) return std::sqrt(std::stod(text));
  return text.empty() ? 1 : std::stod(text);
}

double decrease(const Variant& variant, const Problem& problem) {
  OptimizerOptions options = variant.options();
  TestRun run(variant.optim, variant.args,
              {{kTall, random({problem.m, problem.n}, 3) * 0.1}, {kNorm, random({problem.m}, 4) * 0.1}},
              options);
  const OptimizerSettings& settings = run.optimizer->options().settings;
  // A rule that divides by the size of the gradient moves weights by the rate itself. SGD moves them by the
  // rate times the gradient, and the curvature of least squares is about 1 here. Momentum sums about ten
  // gradients, so it gets a tenth of SGD's rate.
  const bool is_sgd = settings.rule->name() == "sgd";
  double rate = !is_sgd ? 0.05 : options_of<SgdOptions>(*settings.rule).momentum > 0 ? 0.03 : 0.3;
  if (variant.targeted) rate /= scale_of(settings);
  // P P^T is not a projection for a random P: it enlarges up to ten times when r is a quarter of n.
  if (variant.subspace_is("random") && is_sgd) rate /= 10;
  // Details are divided by the size of the coarse part, which can be a tenth of their own size.
  if (variant.optim == "gwt_adamw") rate /= 10;
  // A momentum that is restored from four random directions has noise of twice its size.
  if (variant.optim == "flora" && variant.targeted) rate /= 10;
  const Data data(problem);
  const double first = data.loss(run, false);
  for (int i = 0; i < 100; ++i) {
    run.optimizer->begin_update(rate, 1);
    data.loss(run, true);
    run.optimizer->finish_update();
  }
  return data.loss(run, false) / first;
}

// Bases that do not depend on the gradient cover four of twelve to twenty directions at a time, and not the
// leading ones. Random bases also need the smaller rate.
double limit(const Variant& variant) {
  // Twenty nearly equal gradients make the Fisher matrix twenty times as large as in the first update. Adam
  // remembers the size of that update, so without noise its steps become small.
  if (variant.optim.starts_with("natural") && variant.targeted) return 0.99;
  if (variant.optim == "flora" && variant.targeted) return 1;
  if (variant.subspace_is("random")) return 0.9;
  // Moments that are rotated between two random bases point in nearly arbitrary directions.
  if (variant.optim.starts_with("apollo") && variant.args.find("moment_transport") != std::string::npos)
    return 0.6;
  // Moments are not rotated between random bases of both sides.
  if (variant.optim.starts_with("golore") && variant.args.find("full") != std::string::npos) return 0.9;
  const bool is_leading =
      !variant.subspace_is("orthogonal") && !variant.subspace_is("dct") && !variant.subspace_is("i3s");
  return is_leading ? 0.5 : 0.75;
}

using Decrease = Battery;
INSTANTIATE_TEST_SUITE_P(Presets, Decrease, testing::ValuesIn(all_presets()), name_of);

TEST_P(Decrease, FourSmallProblems) {
  for (const Variant& variant : variants(preset(), /*with_short_periods=*/false))
    for (const Problem& problem : kProblems)
      EXPECT_LT(decrease(variant, problem), limit(variant)) << variant.text() << " " << problem.name;
}

}  // namespace
}  // namespace galore::battery
