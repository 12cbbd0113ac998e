// The options of a run of several processes: micro-batches, groups, plans.
#include "core/test_message.h"
#include "optim/weight_answer.h"
#include "train/distribution.h"
#include "train/memory_fit.h"
#include "train/test_run.h"

namespace galore {
namespace {

class Shares : public TestRun {
 protected:
  // Resolves the options of one of `processes` processes.
  TrainOptions resolved(int64_t processes, const Settings& settings) const {
    TrainOptions options;
    OptionTable table;
    options.processes = options.local_processes = processes;
    resolve_settings(settings, options, table);
    return options;
  }
};

TEST_F(Shares, GradientAccumulationCountsTheMicroBatchesOfOneProcess) {
  const TrainOptions options = resolved(2, {"gradient_accumulation_steps=3"});
  EXPECT_EQ(options.gradient_accumulation_steps, 6);
  EXPECT_EQ(options.reduction_groups, "2");
  EXPECT_EQ(share_of(options).count(), 3);
  EXPECT_EQ(resolved(1, {"gradient_accumulation_steps=3"}).reduction_groups, "1");
}

TEST_F(Shares, TotalBatchSizeCountsTheRowsOfAll) {
  const TrainOptions options = resolved(3, {"total_batch_size=32", "reduction_groups=all"});
  EXPECT_EQ(options.gradient_accumulation_steps, 8);
  EXPECT_EQ(options.reduction_groups, "8");
  EXPECT_EQ(largest_share_of(options).count(), 3);
}

TEST_F(Shares, RefuseGroupsThatCannotBeShared) {
  EXPECT_TRUE(contains(message_of([&] { resolved(4, {"reduction_groups=3"}); }),
                       "expected at least 4, the number of processes, given 3"));
  EXPECT_TRUE(contains(message_of([&] { resolved(2, {"reduction_groups=5"}); }),
                       "expected at most 2, the micro-batches of an update"));
  EXPECT_TRUE(contains(message_of([&] { resolved(2, {"basis_gradient=first_micro_batch"}); }),
                       "[basis_gradient] expected update"));
}

// A resumed run with other processes has the options of one process, so its saved configuration is the same.
TEST_F(Shares, AreThoseOfOneProcessInTheConfiguration) {
  const auto of_two =
      configuration_of(as_one_process(resolved(2, {"gradient_accumulation_steps=2", "init_timeout=9"})));
  const auto of_one =
      configuration_of(as_one_process(resolved(1, {"gradient_accumulation_steps=4", "reduction_groups=2"})));
  EXPECT_EQ(of_two, of_one);
}

// The traffic of AdamW is that of DDP, and 4 bytes more for each weight. GaLore sends low-rank gradients
// between refreshes.
TEST_F(Shares, PlanTheirTraffic) {
  const auto plan_of = [&](const Settings& settings) {
    const TrainOptions options = resolved(2, settings);
    return plan_fit(options, model_config_of(options), {int64_t{1} << 40, 0, "test"}).plan;
  };
  const MemoryPlan adamw = plan_of({"optim=adamw_torch", "optim_args=", "exchange_updates=all"}),
                   galore = plan_of({"exchange_updates=all"}), owned = plan_of({});
  const int64_t weights = 2 * 7 + 5 + 2;
  EXPECT_EQ(adamw.sent, (std::vector<int64_t>(2, 4 * (adamw.trained + weights))));
  // Two layers of seven matrices with hidden size 32, key and value size 16 and MLP size 48, all projected to
  // 8 columns of the longer side; embedding and head of 64 rows, and five norms, are sent in full.
  const int64_t low_rank = 2 * 8 * (2 * 32 + 2 * 32 + 3 * 48), others = 2 * 64 * 32 + 5 * 32;
  EXPECT_EQ(galore.sent, (std::vector<int64_t>(2, 4 * (low_rank + others + weights))));
  EXPECT_GT(galore.most_sent_mean(), galore.most_sent());
  // Owners answer with facts and as many numbers.
  const int64_t facts = weights * static_cast<int64_t>(sizeof(UpdateFacts));
  EXPECT_EQ(owned.sent[0] + owned.sent[1], 2 * 4 * (low_rank + others) + 4 * weights + facts);
  EXPECT_LT(owned.most_sent_mean() - owned.most_sent(), galore.most_sent_mean() - galore.most_sent());
  EXPECT_EQ(sent_bytes(1000, {2, 2, 2, 0}), 4000);  // 2 (N - 1) / N of 4 bytes each
  EXPECT_TRUE(contains(describe_traffic(adamw), "100 % of PyTorch's DDP")) << describe_traffic(adamw);
}

TEST_F(Shares, SendMoreForSeveralSubtrees) {
  const UpdateShare share{6, 6, 4, 1};  // groups 1 and 2 have no common node without others
  EXPECT_EQ(sent_bytes(1000, share), 9000);
}

}  // namespace
}  // namespace galore
