#include "optim/subspaces/lazy_schedule.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "optim/test_optimizer.h"

namespace galore {
namespace {

using testing_optimizer::random;

// Returns unit vectors, each with a given cosine to the one before.
class Vectors {
 public:
  at::Tensor next(double cosine) {
    angle_ += std::acos(cosine);
    return at::tensor({std::cos(angle_), std::sin(angle_)}, at::kFloat);
  }

 private:
  double angle_ = 0.3;
};

struct Trial {
  explicit Trial(const LazyOptions& options) : schedule(options, 200, 2, ledger) {}
  int64_t gap_after(double cosine) {
    schedule.observe(vectors.next(cosine));
    return schedule.gap();
  }
  Ledger ledger{at::kCPU};
  LazySchedule schedule;
  Vectors vectors;
};

// A queue of five is full with the sixth vector. It is not emptied, so every further vector doubles the gap.
TEST(LazySchedule, DoublesTheGapFromTheSixthRefreshOn) {
  Trial trial({0.4, 2, 5});
  EXPECT_EQ(trial.ledger.bytes(Owner::bases), 8);
  for (int refresh = 1; refresh <= 5; ++refresh) EXPECT_EQ(trial.gap_after(0.9), 200) << refresh;
  EXPECT_EQ(trial.gap_after(0.9), 400);
  EXPECT_EQ(trial.gap_after(0.9), 800);
}

TEST(LazySchedule, DecidesByTheMeanOfTheLastOnes) {
  Trial trial({0.4, 3, 2});
  trial.gap_after(1);
  EXPECT_EQ(trial.gap_after(0.1), 200);
  EXPECT_EQ(trial.gap_after(0.5), 200);  // (0.1 + 0.5) / 2
  EXPECT_EQ(trial.gap_after(0.4), 600);  // (0.5 + 0.4) / 2
  EXPECT_EQ(trial.gap_after(0.2), 600);
  EXPECT_EQ(trial.gap_after(0.7), 1800);
}

TEST(LazySchedule, DoesNotCareForSigns) {
  Trial trial({0.4, 2, 1});
  trial.gap_after(1);
  EXPECT_EQ(trial.gap_after(-0.9), 400);
}

TEST(LazySchedule, GoesOnFromItsState) {
  Trial whole({0.4, 2, 3}), resumed({0.4, 2, 3});
  for (const double cosine : {1.0, 0.5, 0.6, 0.2}) whole.gap_after(cosine);
  std::map<std::string, at::Tensor> values;
  struct Copy : StateVisitor {
    std::map<std::string, at::Tensor>& values;
    explicit Copy(std::map<std::string, at::Tensor>& to) : values(to) {}
    void tensor(const std::string& name, at::Tensor& tensor) override { values[name] = tensor.clone(); }
    void scalar(const std::string& name, int64_t& value) override {
      values[name] = at::scalar_tensor(value, at::kLong);
    }
    void scalar(const std::string& name, double& value) override {
      values[name] = at::scalar_tensor(value, at::kDouble);
    }
  } copy(values);
  whole.schedule.visit(copy);
  testing_optimizer::StateLoader load(values);
  resumed.schedule.visit(load);
  resumed.vectors = whole.vectors;
  for (const double cosine : {0.3, 0.9, 0.4, 0.1, 0.8})
    EXPECT_EQ(whole.gap_after(cosine), resumed.gap_after(cosine));
  EXPECT_GT(whole.schedule.gap(), 400);
}

// In a subspace with a constant gradient the gap grows, and refreshes come at its multiples.
TEST(LazySchedule, MakesASubspaceDueMoreRarely) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  for (const std::string type : {"std", "left", "full"}) {
    SubspaceOptions options;
    options.rank = 4;
    options.subspace = "svd";
    options.proj_type = type;
    options.update_proj_gap = 10;
    options.lazy = {0.4, 2, 2};
    Subspace subspace(options, 24, 16, workspace);
    std::vector<int64_t> refreshes;
    const at::Tensor gradient = random({24, 16}, 1);
    for (int64_t update = 0; update < 100; ++update) {
      if (!subspace.due(update)) continue;
      refreshes.push_back(update);
      subspace.refresh(gradient * (update % 20 == 0 ? 1 : -1), RandomStream(1, "refresh"));
    }
    EXPECT_EQ(refreshes, (std::vector<int64_t>{0, 10, 20, 40, 80})) << type;
  }
}

// A gradient that determines nothing does not count as a refresh.
TEST(LazySchedule, CountsOnlyRefreshesThatFoundSomething) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  SubspaceOptions options;
  options.rank = 4;
  options.lazy = {0.4, 2, 1};
  options.update_proj_gap = 10;
  Subspace subspace(options, 24, 16, workspace);
  const at::Tensor gradient = random({24, 16}, 1);
  subspace.refresh(gradient, RandomStream(1, "refresh"));
  subspace.refresh(at::zeros({24, 16}), RandomStream(1, "refresh"));
  EXPECT_EQ(subspace.gap(), 10);
  subspace.refresh(gradient, RandomStream(1, "refresh"));
  EXPECT_EQ(subspace.gap(), 20);
}

}  // namespace
}  // namespace galore
