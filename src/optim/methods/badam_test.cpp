// Tests BAdam with three layers: which layer is active, which weights rest, which state is kept, and that a
// run resumes within a turn.
#include "optim/methods/badam.h"

#include <gtest/gtest.h>

#include <cmath>

#include "optim/parameter_groups.h"
#include "optim/presets.h"
#include "optim/test_optimizer.h"

namespace galore {
namespace {

using testing_optimizer::kEmbedding;
using testing_optimizer::NamedTensors;
using testing_optimizer::random;
using testing_optimizer::same_bits;
using testing_optimizer::StateCopy;
using testing_optimizer::StateLoader;
using testing_optimizer::TestRun;

std::string weight_of(int layer, const char* rest = "mlp.up_proj") {
  return "model.layers." + std::to_string(layer) + "." + rest + ".weight";
}

NamedTensors three_layers() {
  NamedTensors all{{kEmbedding, random({30, 16}, 1)}};
  for (int layer = 0; layer < 3; ++layer) {
    all.emplace_back(weight_of(layer), random({24, 16}, 10 + static_cast<uint64_t>(layer)));
    all.emplace_back(weight_of(layer, "input_layernorm"), random({16}, 20 + static_cast<uint64_t>(layer)));
  }
  return all;
}

// Returns the numbers of the layers with weights that an update moved: "0", "1", "2" or several of them.
std::string moved_by(TestRun& run, uint64_t seed) {
  std::string moved;
  std::vector<at::Tensor> before;
  for (const auto* parameter : run.list()) before.push_back(parameter->value.clone());
  run.update(seed);
  for (int layer = 0; layer < 3; ++layer) {
    int changed = 0;
    for (size_t i = 0; i < before.size(); ++i)
      if (run.list()[i]->layer == layer) changed += !same_bits(before[i], run.list()[i]->value);
    EXPECT_TRUE(changed == 0 || changed == 2) << "all tensors of a layer move, or none";
    if (changed > 0) moved += std::to_string(layer);
  }
  EXPECT_FALSE(same_bits(before[0], run.weight(kEmbedding)));
  return moved;
}

TEST(Badam, TrainsOneLayerAtATimeInOrder) {
  for (const bool layerwise : {false, true}) {
    OptimizerOptions options;
    options.layerwise = layerwise;
    options.weight_decay = 0.1;  // resting layers are not decayed
    options.decay_all = true;
    TestRun run("badam", "switch_every=2", three_layers(), options);
    std::string turns;
    for (uint64_t t = 1; t <= 8; ++t) turns += moved_by(run, t);
    EXPECT_EQ(turns, "00112200");
  }
}

TEST(Badam, BeginsEachTurnAnew) {
  TestRun run("badam", "switch_every=2", three_layers());
  TestRun adam("adamw_torch", "", {{weight_of(0), random({24, 16}, 10)}});
  const auto update = [&](uint64_t seed) {
    const auto gradients = run.gradients(seed);
    run.update({gradients});
    return gradients[1];
  };
  for (uint64_t t = 1; t <= 2; ++t) adam.update({{update(t)}});
  EXPECT_TRUE(same_bits(run.weight(weight_of(0)), adam.weight(weight_of(0))));
  for (uint64_t t = 3; t <= 6; ++t) update(t);
  TestRun again("adamw_torch", "", {{weight_of(0), run.weight(weight_of(0))}});
  for (uint64_t t = 7; t <= 8; ++t) again.update({{update(t)}});
  EXPECT_TRUE(same_bits(run.weight(weight_of(0)), again.weight(weight_of(0))));
}

TEST(Badam, KeepsTheStateOfOneLayer) {
  TestRun run("badam", "", three_layers());
  EXPECT_EQ(run.ledger.bytes(Owner::moments), 8 * (30 * 16 + 24 * 16 + 16));
  for (uint64_t t = 1; t <= 3; ++t) run.update(t);
  EXPECT_EQ(run.ledger.bytes(Owner::moments), 8 * (30 * 16 + 24 * 16 + 16));
}

// Only one layer's gradients are formed, whichever layer is active, and none of a resting layer.
TEST(Badam, FormsTheGradientsOfOneLayer) {
  const int64_t expected = 4 * (30 * 16 + 24 * 16 + 16);
  TestRun run("badam", "switch_every=1", three_layers());
  for (uint64_t t = 1; t <= 4; ++t) {
    run.update(t);
    EXPECT_EQ(run.ledger.bytes(Owner::gradients), expected) << t;
  }
  auto gradients = run.gradients(5);
  for (size_t i = 0; i < gradients.size(); ++i)
    if (run.list()[i]->layer != 1) gradients[i].zero_();
  const double squares =
      (gradients[3].to(at::kDouble).square().sum() + gradients[4].to(at::kDouble).square().sum())
          .item<double>();
  EXPECT_NEAR(run.update({gradients}).gradient_norm, std::sqrt(squares), 1e-6 * std::sqrt(squares));
}

TEST(Badam, ResumesWithinATurnAndBetweenTurns) {
  for (const uint64_t saved : {3, 4, 5, 6}) {  // turns end after updates 2, 4 and 6
    TestRun whole("badam", "switch_every=2", three_layers());
    for (uint64_t t = 1; t <= saved; ++t) whole.update(t);
    NamedTensors weights;
    for (const auto* parameter : whole.list()) weights.emplace_back(parameter->name, parameter->value);
    TestRun resumed("badam", "switch_every=2", weights);
    StateLoader loader(StateCopy(*whole.optimizer).values);
    resumed.optimizer->visit(loader);
    for (uint64_t t = saved + 1; t <= saved + 5; ++t) whole.update(t), resumed.update(t);
    EXPECT_EQ(whole.difference(resumed), "") << saved;
  }
}

// A gradient that is not finite keeps its weight out of an update. The turns go on for all layers alike.
TEST(Badam, TurnsGoByUpdatesOfTheOptimizer) {
  TestRun run("badam", "switch_every=2", three_layers());
  auto gradients = run.gradients(1);
  for (at::Tensor& g : gradients) g.fill_(std::numeric_limits<float>::quiet_NaN());
  run.update({gradients});
  std::string turns;
  for (uint64_t t = 2; t <= 4; ++t) turns += moved_by(run, t);
  EXPECT_EQ(turns, "011");
}

}  // namespace
}  // namespace galore
