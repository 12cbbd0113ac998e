// Tests updates that several processes share. Threads play the processes.
#include "core/collective.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <barrier>
#include <deque>
#include <functional>
#include <set>
#include <thread>

#include "optim/test_optimizer.h"
#include "optim/weight_answer.h"

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
        numbers_sent(static_cast<size_t>(processes)),
        bytes_sent(static_cast<size_t>(processes)),
        gathered(static_cast<size_t>(processes)) {}
  std::barrier<> barrier;
  std::vector<GradientSum*> sums;
  std::vector<int64_t> numbers_sent, bytes_sent;  // of sums and of answers
  std::vector<std::vector<double>> gathered;
  const std::vector<at::Tensor>* answer = nullptr;  // the parts of the owner
  std::string text;
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
  bool is_crowded() const override { return begun_.size() + answers_.size() > kUnderWay; }
  void finish(GradientSum& sum) override {
    meeting_.sums[place()] = &begun_.front();
    meeting_.barrier.arrive_and_wait();
    bool reported = false;
    const at::Tensor total = add_all(reported);
    meeting_.barrier.arrive_and_wait();
    if (sum.owner == kEveryProcess || sum.owner == index_) {
      sum.total.copy_(total);
      sum.reported = reported;
    }
    meeting_.barrier.arrive_and_wait();
    begun_.pop_front();
  }
  // The owner's bytes may change after this call.
  void begin(OwnerAnswer& answer) override {
    std::vector<at::Tensor>& parts = answers_.emplace_back(answer.parts);
    if (answer.owner != index_) return;
    for (at::Tensor& part : parts) {
      meeting_.bytes_sent[place()] += part.numel();
      part = part.clone();
    }
  }
  void finish(OwnerAnswer& answer) override {
    if (answer.owner == index_) meeting_.answer = &answers_.front();
    meeting_.barrier.arrive_and_wait();
    for (size_t i = 0; answer.owner != index_ && i < answer.parts.size(); ++i)
      answer.parts[i].copy_(meeting_.answer->at(i));
    meeting_.barrier.arrive_and_wait();
    answers_.pop_front();
  }
  std::vector<double> gather(const std::vector<double>& own) override {
    meeting_.gathered[place()] = own;
    meeting_.barrier.arrive_and_wait();
    std::vector<double> all;
    for (const auto& numbers : meeting_.gathered) all.insert(all.end(), numbers.begin(), numbers.end());
    meeting_.barrier.arrive_and_wait();
    return all;
  }
  std::string text_of(int process, const std::string& text) override {
    if (process == index_) meeting_.text = text;
    meeting_.barrier.arrive_and_wait();
    std::string found = meeting_.text;
    meeting_.barrier.arrive_and_wait();
    return found;
  }
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
  std::deque<std::vector<at::Tensor>> answers_;
  int64_t leaves_ = 1;
  UpdateShare share_;
};

// Reports the gradients of one micro-batch, as a model does.
void report_tokens(TestRun& run, uint64_t seed, bool breaks = false) {
  for (size_t i = run.list().size(); i-- > 0;) {
    Parameter& parameter = *run.list()[i];
    const int64_t m = parameter.value.size(0);
    at::Tensor output = decaying({kReportedTokens, m}, 100 * seed + 10 * i);
    if (breaks && parameter.name == kTall) output[0][0] = NAN;
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
  int64_t refreshed = 0;
  std::vector<std::string> notices;
};

struct Course {
  int64_t missing = 0;  // micro-batches that the last update lacks
  at::ScalarType dtype = at::kFloat;
  bool breaks = false;  // a gradient of the third update is not finite
};

// Trains one process from the start.
SharedOutcome train_share(const OptimizerOptions& options, UpdateShare share, Collective& collective,
                          const Course& course = {}) {
  at::set_num_threads(1);
  TestRun run(options, all_kinds(course.dtype));
  for (Parameter* parameter : run.list())
    parameter->whole_products = parameter->value.dim() == 2 && parameter->name != kEmbedding;
  SharedOutcome outcome;
  run.optimizer = std::make_unique<Optimizer>(run.list(), options, run.workspace, collective);
  for (int64_t update = 1; update <= kSharedUpdates; ++update) {
    if (update == kSharedUpdates) share.missing = course.missing;
    run.optimizer->begin_update(0.01, share);
    for (int64_t i = share.first(); i < share.end(); ++i)
      report_tokens(run, static_cast<uint64_t>(8 * update + i), course.breaks && update == 3);
    if (share.idle()) report_tokens(run, 1000);
    const UpdateReport report = run.optimizer->finish_update();
    outcome.norm = report.gradient_norm;
    outcome.refreshed += report.num_refreshed;
    outcome.notices.insert(outcome.notices.end(), report.notices.begin(), report.notices.end());
  }
  for (const Parameter* parameter : run.list()) outcome.weights.push_back(parameter->value.clone());
  outcome.state = StateCopy(*run.optimizer).values;
  return outcome;
}

std::vector<SharedOutcome> train_on_threads(const OptimizerOptions& options, UpdateShare share,
                                            Meeting& meeting, const Course& course = {}) {
  std::vector<SharedOutcome> outcomes(meeting.sums.size());
  std::vector<std::jthread> threads;
  share.processes = static_cast<int64_t>(outcomes.size());
  for (size_t index = 0; index < outcomes.size(); ++index)
    threads.emplace_back([&, share, index]() mutable {
      share.index = static_cast<int64_t>(index);
      ThreadCollective collective(meeting, static_cast<int>(index));
      outcomes[index] = train_share(options, share, collective, course);
    });
  threads.clear();  // waits for all threads
  return outcomes;
}

void expect_the_bits_of_one_process(const OptimizerOptions& options, const UpdateShare& share, int processes,
                                    const Course& course = {}) {
  Meeting meeting(processes);
  const SharedOutcome alone = train_share(options, share, single_process(), course);
  std::set<std::string> known;  // each state is in at least one process
  for (const SharedOutcome& outcome : train_on_threads(options, share, meeting, course)) {
    EXPECT_EQ(outcome.norm, alone.norm);
    for (size_t i = 0; i < alone.weights.size(); ++i)
      EXPECT_TRUE(same_bits(outcome.weights[i], alone.weights[i])) << all_kinds()[i].first;
    EXPECT_EQ(outcome.refreshed, alone.refreshed);
    EXPECT_EQ(outcome.notices, alone.notices);
    for (const auto& [name, value] : outcome.state) {
      EXPECT_TRUE(same_bits(alone.state.at(name), value)) << name;
      known.insert(name);
    }
  }
  EXPECT_EQ(known.size(), alone.state.size());
}

OptimizerOptions shared_options(bool layerwise, const std::string& optim = "galore_adamw",
                                const std::string& arguments = "") {
  OptimizerOptions options;
  options.layerwise = layerwise;
  const auto settings = find_preset(optim).settings();
  const bool has_basis = settings.method && settings.method->traits().has_basis;
  options.settings = resolve_optimizer(optim, (has_basis ? "rank=4,update_proj_gap=2" : "") + arguments);
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
      expect_the_bits_of_one_process(shared_options(layerwise), {8, 4}, 3, {.missing = missing});
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

OptimizerOptions owned_options(bool layerwise, const std::string& optim = "galore_adamw",
                               const std::string& arguments = "") {
  OptimizerOptions options = shared_options(layerwise, optim, arguments);
  options.exchange_updates = "owners";
  return options;
}

TEST(Owners, MakeTheUpdatesOfOneToTheBit) {
  for (const bool layerwise : {false, true})
    for (const std::string optim :
         {"adamw_torch", "fira_adamw", "apollo_adamw", "natural_galore_adamw", "adarankgrad_adamw", "badam"})
      expect_the_bits_of_one_process(owned_options(layerwise, optim), {3, 3}, 3);
}

// The answers of owners follow from the bases, which they send after a refresh.
TEST(Owners, SendBasesOfEveryFormat) {
  bool layerwise = false;
  for (const std::string arguments :
       {",subspace=random", ",subspace=dct", ",basis_dtype=int8", ",proj_type=full",
        ",cos_threshold=0.1,queue_size=2", ",moment_transport=true"}) {
    expect_the_bits_of_one_process(owned_options(layerwise, "galore_adamw", arguments), {2, 2}, 2);
    layerwise = !layerwise;
  }
}

TEST(Owners, AnswerWithRoundedWeights) {
  for (const bool master : {false, true})
    for (const bool layerwise : {false, true}) {
      OptimizerOptions options = owned_options(layerwise);
      options.rounding = "stochastic";
      options.master_weights = master;
      expect_the_bits_of_one_process(options, {4, 4}, 2, {.dtype = at::kBFloat16});
    }
}

TEST(Owners, TellTheirMessagesToAll) {
  for (const bool layerwise : {false, true}) {
    const OptimizerOptions options = owned_options(layerwise);
    const SharedOutcome alone = train_share(options, {2, 2}, single_process(), {.breaks = true});
    ASSERT_EQ(alone.notices.size(), 1u);
    expect_the_bits_of_one_process(options, {2, 2}, 2, {.breaks = true});
  }
}

TEST(Owners, FoldLazyLiftsBeforeTheBasisChanges) {
  for (const bool layerwise : {false, true}) {
    OptimizerOptions options = owned_options(layerwise);
    options.lift = "lazy";
    expect_the_bits_of_one_process(options, {4, 4}, 2);
  }
}

// Between refreshes a projected weight of m x n sends its low-rank gradient to its owner, and with a refresh
// its whole gradient. The owner sends as many numbers back, and seeds of random bases.
TEST(ManyProcesses, SendLowRankGradients) {
  OptimizerOptions options;
  options.settings =
      resolve_optimizer("galore_sgd", "rank=1,subspace=random,update_proj_gap=1000,refresh=together");
  // `low_rank` counts the long sides of three matrices.
  const int64_t low_rank = 16 + 24 + 24, whole = 16 * 16 + 2 * 24 * 16, others = 30 * 16 + 16;
  const int64_t sums = (kSharedUpdates - 1) * (low_rank + others) + whole + others;
  options.exchange_updates = "all";
  Meeting of_all(2);
  train_on_threads(options, {2, 2}, of_all);
  EXPECT_EQ(of_all.numbers_sent[0], sums);
  EXPECT_EQ(of_all.bytes_sent[0], 0);
  options.exchange_updates = "owners";
  Meeting of_owners(2);
  train_on_threads(options, {2, 2}, of_owners);
  EXPECT_EQ(of_owners.numbers_sent[0], sums);
  const int64_t facts = kSharedUpdates * 5 * static_cast<int64_t>(sizeof(UpdateFacts)), seeds = 3 * 3 * 8;
  EXPECT_EQ(of_owners.bytes_sent[0] + of_owners.bytes_sent[1],
            4 * kSharedUpdates * (low_rank + others) + facts + seeds);
}

TEST(SingleProcess, LeavesNumbersAlone) {
  GradientSum sum{{random({3}, 1)}, {}, true};
  const at::Tensor before = sum.partials[0].clone();
  single_process().begin(sum);
  single_process().finish(sum);
  EXPECT_TRUE(same_bits(sum.partials[0], before));
  EXPECT_EQ(single_process().gather({1, 2}), (std::vector<double>{1, 2}));
  EXPECT_EQ(single_process().text_of(0, "a"), "a");
  EXPECT_EQ(single_process().size(), 1);
}

}  // namespace
}  // namespace galore
