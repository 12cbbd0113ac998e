// Tests updates that several processes share. Threads play the processes.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <barrier>
#include <deque>
#include <functional>
#include <thread>

#include "core/collective.h"
#include "optim/test_optimizer.h"

namespace galore {
namespace {

using namespace testing_optimizer;

constexpr int64_t kReportedTokens = 16, kSharedUpdates = 5;
constexpr size_t kUnderWay = 2;  // sums

// All threads see this state.
struct Meeting {
  explicit Meeting(int processes)
      : barrier(processes),
        sums(static_cast<size_t>(processes)),
        numbers_sent(static_cast<size_t>(processes)) {}
  std::barrier<> barrier;
  std::vector<GradientSum*> sums;
  std::vector<int64_t> numbers_sent;
};

class ThreadCollective : public Collective {
 public:
  ThreadCollective(Meeting& meeting, int index) : meeting_(meeting), index_(index) {}
  int index() const override { return index_; }
  int size() const override { return static_cast<int>(meeting_.sums.size()); }
  void begin_update(const UpdateShare& share) override { leaves_ = share.leaves(), share_ = share; }
  // The partial sums may change after this call.
  void begin(GradientSum& sum) override {
    begun_.push_back(sum);
    for (at::Tensor& part : begun_.back().partials) {
      meeting_.numbers_sent[place()] += part.numel();
      part = part.clone();
    }
  }
  bool is_crowded() const override { return begun_.size() > kUnderWay; }
  void finish(GradientSum& sum) override {
    meeting_.sums[place()] = &begun_.front();
    meeting_.barrier.arrive_and_wait();
    bool reported = false;
    const at::Tensor total = add_all(reported);
    meeting_.barrier.arrive_and_wait();
    sum.total.copy_(total);
    sum.reported = reported;
    meeting_.barrier.arrive_and_wait();
    begun_.pop_front();
  }
  std::vector<double> gather(const std::vector<double>& own) override { return own; }
  void begin(OwnerAnswer&) override {}
  void finish(OwnerAnswer&) override {}
  std::string text_of(int, const std::string& text) override { return text; }
  void bring_to_first(int, const at::Tensor&) override {}

 private:
  size_t place() const { return static_cast<size_t>(index_); }
  at::Tensor add_all(bool& reported) const {
    std::vector<at::Tensor> values;
    TreeSum tree(leaves_);
    for (int process = 0; process < size(); ++process) {
      const GradientSum& sum = *meeting_.sums[static_cast<size_t>(process)];
      const UpdateShare share = share_.of_process(process);
      const auto nodes = largest_nodes(leaves_, {share.first_group(), share.end_group()});
      reported = reported || sum.reported;
      for (size_t i = 0; i < nodes.size(); ++i) {
        values.push_back(sum.partials.at(i));
        tree.push(nodes[i], [&](size_t k) {
          values[k] = values[k] + values.back();
          values.pop_back();
        });
      }
    }
    return values.at(0).clone();
  }

  Meeting& meeting_;
  int index_;
  std::deque<GradientSum> begun_;
  int64_t leaves_ = 1;
  UpdateShare share_;
};

// Reports the gradients of one micro-batch, as a model does.
void report_tokens(TestRun& run, uint64_t seed) {
  for (size_t i = run.list().size(); i-- > 0;) {
    Parameter& parameter = *run.list()[i];
    const int64_t m = parameter.value.size(0);
    const at::Tensor output = decaying({kReportedTokens, m}, 100 * seed + 10 * i);
    if (parameter.value.dim() == 1) {
      parameter.sink->add(output.sum(0));
    } else if (parameter.name == kEmbedding) {
      const at::Tensor rows = decaying({kReportedTokens, parameter.value.size(1)}, 100 * seed + 10 * i);
      parameter.sink->add_rows(at::arange(kReportedTokens).remainder(m), rows);
    } else {
      const at::Tensor input = decaying({kReportedTokens, parameter.value.size(1)}, 100 * seed + 10 * i + 1);
      // One weight has no gradient in two micro-batches, as an expert that no token chose.
      if (parameter.name != kTall || seed < 16 || seed > 17) parameter.sink->add_product(output, input);
    }
    parameter.sink->use_done();
  }
}

struct SharedOutcome {
  std::vector<at::Tensor> weights;
  std::map<std::string, at::Tensor> state;
  double norm = 0;
};

// Trains one process from the start. The last update lacks `missing` micro-batches.
SharedOutcome train_share(const OptimizerOptions& options, UpdateShare share, Collective& collective,
                          int64_t missing = 0) {
  at::set_num_threads(1);
  TestRun run(options, all_kinds());
  for (Parameter* parameter : run.list())
    parameter->whole_products = parameter->value.dim() == 2 && parameter->name != kEmbedding;
  run.optimizer = std::make_unique<Optimizer>(run.list(), options, run.workspace, collective);
  SharedOutcome outcome;
  for (int64_t update = 1; update <= kSharedUpdates; ++update) {
    if (update == kSharedUpdates) share.missing = missing;
    run.optimizer->begin_update(0.01, share);
    for (int64_t i = share.first(); i < share.end(); ++i)
      report_tokens(run, static_cast<uint64_t>(8 * update + i));
    if (share.idle()) report_tokens(run, 1000);
    outcome.norm = run.optimizer->finish_update().gradient_norm;
  }
  for (const Parameter* parameter : run.list()) outcome.weights.push_back(parameter->value.clone());
  outcome.state = StateCopy(*run.optimizer).values;
  return outcome;
}

std::vector<SharedOutcome> train_on_threads(const OptimizerOptions& options, UpdateShare share,
                                            Meeting& meeting, int64_t missing = 0) {
  std::vector<SharedOutcome> outcomes(meeting.sums.size());
  std::vector<std::jthread> threads;
  share.processes = static_cast<int64_t>(outcomes.size());
  for (size_t index = 0; index < outcomes.size(); ++index)
    threads.emplace_back([&, share, index]() mutable {
      share.index = static_cast<int64_t>(index);
      ThreadCollective collective(meeting, static_cast<int>(index));
      outcomes[index] = train_share(options, share, collective, missing);
    });
  threads.clear();  // waits for all threads
  return outcomes;
}

void expect_the_bits_of_one_process(const OptimizerOptions& options, const UpdateShare& share, int processes,
                                    int64_t missing = 0) {
  Meeting meeting(processes);
  const SharedOutcome alone = train_share(options, share, single_process(), missing);
  for (const SharedOutcome& outcome : train_on_threads(options, share, meeting, missing)) {
    EXPECT_EQ(outcome.norm, alone.norm);
    for (size_t i = 0; i < alone.weights.size(); ++i)
      EXPECT_TRUE(same_bits(outcome.weights[i], alone.weights[i])) << all_kinds()[i].first;
    ASSERT_EQ(outcome.state.size(), alone.state.size());
    for (const auto& [name, value] : alone.state)
      EXPECT_TRUE(same_bits(outcome.state.at(name), value)) << name;
  }
}

OptimizerOptions shared_options(bool layerwise, const std::string& optim = "galore_adamw",
                                const std::string& arguments = "") {
  OptimizerOptions options;
  options.layerwise = layerwise;
  options.settings = resolve_optimizer(optim, "rank=4,update_proj_gap=2" + arguments);
  return options;
}

TEST(ManyProcesses, MakeTheUpdatesOfOneToTheBit) {
  for (const bool layerwise : {false, true})
    for (const int processes : {2, 3, 4}) {
      expect_the_bits_of_one_process(shared_options(layerwise), {8, 4}, processes);
      expect_the_bits_of_one_process(shared_options(layerwise), {4, 4}, processes);
    }
}

TEST(ManyProcesses, MakeTheUpdatesOfOneByEveryFinderAndWithClipping) {
  for (const std::string subspace : {"svd", "warm", "random"})
    expect_the_bits_of_one_process(shared_options(false, "galore_sgd", ",momentum=0.9,subspace=" + subspace),
                                   {6, 3}, 3);
  OptimizerOptions clipped = shared_options(false);
  clipped.max_grad_norm = 0.5;
  expect_the_bits_of_one_process(clipped, {4, 2}, 2);
  clipped.layerwise = true;
  expect_the_bits_of_one_process(clipped, {4, 2}, 2);
}

// At the end of the data some processes have no micro-batch left.
TEST(ManyProcesses, MakeALastUpdateOfFewRows) {
  for (const bool layerwise : {false, true})
    for (const int64_t missing : {1, 3, 6, 7})
      expect_the_bits_of_one_process(shared_options(layerwise), {8, 4}, 3, missing);
}

// The sums differ from those of one group in rounding alone. Adam divides by small roots, which enlarges the
// difference, so plain gradient steps are compared: the additions of 8 products change the seventh digit.
TEST(ManyProcesses, SumsByGroupsDifferInRoundingAlone) {
  const OptimizerOptions options = shared_options(false, "galore_sgd", ",subspace=random");
  const SharedOutcome chain = train_share(options, {8, 1}, single_process()),
                      tree = train_share(options, {8, 8}, single_process());
  for (size_t i = 0; i < chain.weights.size(); ++i) {
    const at::Tensor moved = chain.weights[i] - all_kinds()[i].second;
    EXPECT_LE(relative_difference(tree.weights[i] - all_kinds()[i].second, moved), 1e-5);
    EXPECT_GT(moved.norm().item<double>(), 1e-3);
  }
}

// Between refreshes a projected weight of m x n sends only its low-rank gradient, and with a refresh its
// whole gradient.
TEST(ManyProcesses, SendLowRankGradients) {
  OptimizerOptions options;
  options.settings =
      resolve_optimizer("galore_sgd", "rank=1,subspace=random,update_proj_gap=1000,refresh=together");
  Meeting meeting(2);
  train_on_threads(options, {2, 2}, meeting);
  // `low_rank` counts the long sides of three matrices.
  const int64_t low_rank = 16 + 24 + 24, whole = 16 * 16 + 2 * 24 * 16, others = 30 * 16 + 16;
  EXPECT_EQ(meeting.numbers_sent[0], (kSharedUpdates - 1) * (low_rank + others) + whole + others);
}

TEST(SingleProcess, LeavesNumbersAlone) {
  GradientSum sum{{random({3}, 1)}, {}, true};
  const at::Tensor before = sum.partials[0].clone();
  single_process().begin(sum);
  single_process().finish(sum);
  EXPECT_TRUE(same_bits(sum.partials[0], before));
  EXPECT_EQ(single_process().gather({1, 2}), (std::vector<double>{1, 2}));
  EXPECT_EQ(single_process().text_of_first("a"), "a");
  EXPECT_EQ(single_process().size(), 1);
}

}  // namespace
}  // namespace galore
