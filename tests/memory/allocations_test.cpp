// The memory plan against the allocations themselves: the bytes of tensors that a run asks libtorch's
// allocator for. No processor and no library has a part in them.
#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>

#include "core/random.h"
#include "optim/presets.h"
#include "train/inputs.h"
#include "train/memory_fit.h"
#include "train/run_builder.h"
#include "train/test_options.h"

namespace galore {
namespace {

// Counts the bytes of all tensors of this process on the CPU. A header before each holds its size.
class CountingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    char* header =
        static_cast<char*>(std::aligned_alloc(kHeader, (size + 2 * kHeader - 1) / kHeader * kHeader));
    *reinterpret_cast<size_t*>(header) = size;
    const int64_t now = live() += static_cast<int64_t>(size);
    for (int64_t peak = most(); now > peak && !most().compare_exchange_weak(peak, now);) {
    }
    return {header + kHeader, header + kHeader, &release, at::kCPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t size) const override {
    default_copy_data(to, from, size);
  }

  // The peak since the last call, above the bytes that lived then.
  static int64_t take_peak() {
    static int64_t before = 0;
    const int64_t peak = most() - before;
    before = live();
    most() = before;
    return peak;
  }

 private:
  static constexpr size_t kHeader = 64;
  static void release(void* data) {
    if (!data) return;
    char* header = static_cast<char*>(data) - kHeader;
    live() -= static_cast<int64_t>(*reinterpret_cast<size_t*>(header));
    std::free(header);
  }
  static std::atomic<int64_t>& live() {
    static std::atomic<int64_t> bytes;
    return bytes;
  }
  static std::atomic<int64_t>& most() {
    static std::atomic<int64_t> bytes;
    return bytes;
  }
};

CountingAllocator allocator;
// Before any tensor of the tests; a tensor keeps the allocator that it came from.
const bool kIsCounting = (c10::SetCPUAllocator(&allocator, 1), true);

struct Held {
  int64_t ledger, allocated;
};

at::Tensor random_ids(const ModelConfig& config, int64_t rows, int64_t length, uint64_t step) {
  at::Tensor ids = at::empty({rows, length}, at::kLong);
  RandomStream random(1, "allocations", "", step);
  int64_t* data = ids.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < ids.numel(); ++i)
    data[i] = static_cast<int64_t>(random.below(static_cast<uint64_t>(config.vocab_size)));
  return ids;
}

// Two updates, of which the first refreshes all bases, and an evaluation between them, which enlarges
// buffers.
Held run(const ModelConfig& config, const TrainOptions& options, const Workload& workload) {
  CountingAllocator::take_peak();
  Ledger ledger(at::kCPU);
  const auto model = make_causal_lm(config, model_options(options), ledger);
  model->initialize(1);
  Workspace workspace(ledger);
  Optimizer optimizer(model->parameters(), options.optimizer, workspace);
  for (int64_t update = 0; update < 2; ++update) {
    optimizer.begin_update(1e-3, workload.micro_batches);
    for (int64_t i = 0; i < workload.micro_batches; ++i) {
      const at::Tensor ids = random_ids(config, workload.train_rows, workload.length,
                                        static_cast<uint64_t>(update * workload.micro_batches + i));
      model->train_step(ids, ids, 1e-3);
    }
    optimizer.finish_update();
    if (update == 0 && workload.eval_rows > 0) {
      const at::Tensor ids = random_ids(config, workload.eval_rows, workload.length, 0);
      model->evaluate(ids, ids);
    }
  }
  return {ledger.total(), CountingAllocator::take_peak()};
}

class Allocations : public testing::TestWithParam<Settings> {};

// One per cent: the plan leaves out scalars, token ids and temporaries of a few rows.
TEST_P(Allocations, AreWhatIsPlanned) {
  ASSERT_TRUE(kIsCounting);
  Settings settings = {"batch_size=2", "max_length=128", "per_device_eval_batch_size=3", "val_size=3",
                       "gradient=full"};
  settings.insert(settings.end(), GetParam().begin(), GetParam().end());
  const TrainOptions options = Given(settings).options;
  const ModelConfig config = model_config_of(options);
  const Workload workload = workload_of(options, options);
  const auto planned =
      static_cast<double>(plan_memory(config, model_options(options), options.optimizer, workload).total());
  const Held held = run(config, options, workload);
  RecordProperty("allocated_minus_planned_kib",
                 static_cast<int>((static_cast<double>(held.allocated) - planned) / 1024));
  EXPECT_NEAR(static_cast<double>(held.ledger) / planned, 1, 0.01);
  EXPECT_NEAR(static_cast<double>(held.allocated) / planned, 1, 0.01)
      << held.allocated << " bytes of tensors, " << planned << " planned";
}

// A gap of one refreshes in the second update again, when moments and all buffers exist: the
// temporaries of an SVD come on top of them. compute_dtype=float32 is what auto means on a processor without
// fast bf16: weights are widened there.
INSTANTIATE_TEST_SUITE_P(
    Presets, Allocations,
    testing::Values(Settings{"optim=adamw_torch"}, Settings{"optim=adamw_8bit"}, Settings{"optim=adafactor"},
                    Settings{"optim=galore_adamw"},
                    Settings{"optim=galore_adamw", "gradient_accumulation_steps=2"},
                    Settings{"optim=galore_adamw", "gradient=projected"},
                    Settings{"optim=galore_adamw_8bit_layerwise"},
                    Settings{"optim=galore_adamw_8bit_layerwise", "bf16=true", "gradient_checkpointing=true",
                             "compute_dtype=float32"},
                    Settings{"optim=galore_adamw_8bit_layerwise", "bf16=true", "gradient_checkpointing=true",
                             "compute_dtype=bfloat16"},
                    Settings{"optim=q_galore_adamw_8bit_layerwise", "bf16=true", "compute_dtype=float32"},
                    Settings{"optim=q_galore_adamw_8bit_layerwise", "bf16=true", "compute_dtype=bfloat16"},
                    Settings{"optim=galore_adamw", "optim_args=subspace=svd,update_proj_gap=1"}));

}  // namespace
}  // namespace galore
