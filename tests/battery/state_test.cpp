// The state of a preset has the stated bytes and formats, and can be saved and loaded.
#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "checkpoint/state_files.h"
#include "core/errors.h"
#include "core/test_folder.h"
#include "variants.h"

namespace galore::battery {
namespace {

using State = Battery;
INSTANTIATE_TEST_SUITE_P(Presets, State, testing::ValuesIn(all_presets()), name_of);

int64_t state_in(const Ledger& ledger) { return ledger.bytes(Owner::moments) + ledger.bytes(Owner::bases); }

// Returns settings with the same rule and storage but without a method, which is how a weight without
// projection is updated.
OptimizerSettings without_method(OptimizerSettings settings) {
  for (const Preset& candidate : presets()) {
    const OptimizerSettings plain = candidate.settings();
    if (plain.method || plain.rule->name() != settings.rule->name()) continue;
    if (plain.storage.storage != settings.storage.storage) continue;
    settings.preset = candidate.name;
    settings.method = nullptr;
  }
  return settings;
}

// The shapes have m < n, m > n and m = n, sizes below and at min_8bit_size, blocks with a remainder, and
// ranks above the shorter side.
const std::vector<std::pair<int64_t, int64_t>> kShapes{{64, 96},  {96, 64},  {100, 300}, {300, 100},
                                                       {64, 64},  {90, 45},  {63, 65},   {64, 65},
                                                       {128, 32}, {33, 129}, {5, 7},     {1, 40}};

std::vector<std::string> sizes_of(const Preset& preset) {
  std::vector<std::string> all;
  for (const std::string& optional : optional_state(preset)) {
    std::vector<std::string> ranks{optional};
    if (!projects(preset) && has_option(preset, "rank"))
      ranks = {"rank=16" + optional, "rank=1000" + optional};
    if (projects(preset)) {
      ranks = {"rank=16" + optional,
               "rank=16,subspace=" + subspaces_of(preset).back() + optional,
               "rank=16,subspace=svd" + optional,
               "rank=32,proj_type=reverse_std" + optional,
               "rank=1000,proj_type=left" + optional,
               "rank=40,proj_type=right" + basis_in(preset, "bfloat16") + optional,
               "rank=24,proj_group_size=32" + basis_in(preset, "int4") + optional};
      const std::vector<std::string> finders = subspaces_of(preset);
      if (std::count(finders.begin(), finders.end(), "dct"))
        ranks.push_back("rank=16,subspace=dct" + optional);
    }
    for (const std::string& args : ranks) {
      all.push_back(args);
      if (has_option(preset, "block_size")) all.push_back(args + ",block_size=2048");
      if (has_option(preset, "min_8bit_size")) all.push_back(args + ",min_8bit_size=0");
    }
  }
  return all;
}

TEST_P(State, TakesTheBytesOfItsFormula) {
  for (const std::string& args : sizes_of(preset())) {
    for (const auto& [m, n] : kShapes) {
      for (const bool targeted : {true, false}) {
        const Variant variant{preset().name, args, targeted && has_targets(preset())};
        const NamedTensors weights{{kTall, at::zeros({m, n})}};
        TestRun run(variant.optim, args, weights, variant.options());
        OptimizerSettings settings = run.optimizer->options().settings;
        if (!targeted && has_targets(preset())) settings = without_method(settings);
        const int64_t expected = state_bytes(settings, m, n);
        EXPECT_EQ(state_in(run.ledger), expected) << variant.text() << " " << m << " x " << n;
        TestRun counted(variant.optim, args, weights, variant.options(), at::kMeta);
        EXPECT_EQ(state_in(counted.ledger), expected) << "the memory plan: " << variant.text();
      }
    }
  }
}

// The codes of a quantized weight are saved in the optimizer's state, because the model's files hold the
// decoded values. They count as weights.
bool is_of_weight(const std::string& name) { return name.find(".weight_") != std::string::npos; }

// The memory plan runs an update on the meta device and counts what first and later updates allocate. Its
// figures for searches of a basis cover their worst case.
TEST_P(State, PlansWhatItTakes) {
  // A plan counts the completion of a basis of lower rank, which may not happen: up to a seventh of
  // everything for matrices as small as these. Methods that make their bases themselves refresh in another
  // way after the first update, which is the only one here: up to nine tenths.
  const double most = projects(preset()) ? 1.15 : 2;
  for (const Variant& variant : variants(preset())) {
    for (const bool layerwise : {false, true}) {
      OptimizerOptions options = variant.options();
      options.layerwise = layerwise;
      TestRun run(variant.optim, variant.args, all_kinds(), options);
      TestRun planned(variant.optim, variant.args, all_kinds(), options, at::kMeta);
      run.update(1), planned.update(1);
      if (!projects(preset())) run.update(2);
      if (projects(preset()) || has_option(preset(), "rank")) {
        EXPECT_GE(planned.ledger.total(), run.ledger.total()) << variant.text();
        EXPECT_LE(planned.ledger.total(), most * run.ledger.total()) << variant.text();
      } else {
        EXPECT_EQ(planned.ledger.total(), run.ledger.total()) << variant.text();
      }
    }
  }
}

int64_t saved_state_bytes(const TestRun& run) {
  int64_t bytes = 0;
  for (const auto& [name, value] : StateCopy(*run.optimizer).values)
    if (value.scalar_type() != at::kLong && value.scalar_type() != at::kDouble && !is_of_weight(name))
      bytes += static_cast<int64_t>(value.nbytes());
  return bytes;
}

// No state is allocated after the first update, under these owners or any other. With chosen ranks it
// shrinks.
TEST_P(State, DoesNotGrow) {
  for (const Variant& variant : variants(preset())) {
    TestRun run(variant.optim, variant.args, all_kinds(), variant.options());
    const bool shrinks = variant.args.find("energy=") != std::string::npos;
    const int64_t bytes = state_in(run.ledger);
    std::map<std::string, at::Tensor> first = StateCopy(*run.optimizer).values;
    EXPECT_EQ(saved_state_bytes(run), bytes) << "what is saved is what is counted: " << variant.text();
    for (uint64_t seed = 1; seed <= 4; ++seed) run.update(seed);
    EXPECT_EQ(saved_state_bytes(run), state_in(run.ledger)) << variant.text();
    EXPECT_EQ(state_in(run.ledger) < bytes, shrinks) << variant.text();
    EXPECT_LE(state_in(run.ledger), bytes) << variant.text();
    for (const auto& [name, value] : StateCopy(*run.optimizer).values) {
      EXPECT_EQ(value.scalar_type(), first.at(name).scalar_type()) << name;
      EXPECT_TRUE(shrinks || value.sizes() == first.at(name).sizes()) << name;
      EXPECT_EQ(value.device(), first.at(name).device()) << name;
    }
  }
}

TEST_P(State, LeavesFormatAndPlaceOfWeights) {
  for (const Variant& variant : variants(preset())) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
      const NamedTensors weights = all_kinds(dtype);
      TestRun run(variant.optim, variant.args, weights, variant.options());
      std::vector<const void*> places;
      for (const Parameter* parameter : run.list()) places.push_back(run.stored(parameter->name).data_ptr());
      for (uint64_t seed = 1; seed <= 2; ++seed) run.update(seed);
      for (size_t i = 0; i < places.size(); ++i) {
        const auto& [name, before] = weights[i];
        const at::Tensor after = run.weight(name);
        EXPECT_EQ(run.stored(name).data_ptr(), places[i]) << name;
        EXPECT_EQ(run.stored(name).scalar_type(), run.parameter(name).codes ? at::kByte : dtype) << name;
        EXPECT_EQ(after.device(), before.device()) << name;
        EXPECT_EQ(after.sizes(), before.sizes()) << name;
        EXPECT_TRUE(after.is_contiguous() && after.isfinite().all().item<bool>()) << name;
        EXPECT_FALSE(same_bits(after, before)) << variant.text() << " " << name;
      }
    }
  }
}

void update(TestRun& run, uint64_t number) {
  run.update({run.gradients(2 * number), run.gradients(2 * number + 1)},
             0.01 / static_cast<double>(1 + number));
}

// Trains `saved` updates, saves, and trains four more, which is the gap between refreshes and one. Another
// run loads the state and trains the same four.
void expect_bit_identical_resume(const Variant& variant, const OptimizerOptions& options,
                                 at::ScalarType dtype, uint64_t saved) {
  const TestFolder folder;
  TestRun whole(variant.optim, variant.args, all_kinds(dtype), options);
  for (uint64_t i = 1; i <= saved; ++i) update(whole, i);
  StateWriter writer;
  whole.optimizer->visit(writer);
  writer.write(folder / "optimizer.safetensors");
  NamedTensors weights;
  for (const Parameter* parameter : whole.list())
    weights.emplace_back(parameter->name, whole.weight(parameter->name));
  TestRun resumed(variant.optim, variant.args, weights, options);
  StateReader reader(folder / "optimizer.safetensors");
  resumed.optimizer->visit(reader);
  reader.finish();
  EXPECT_EQ(whole.difference(resumed), "") << variant.text() << ", after loading";
  EXPECT_EQ(resumed.optimizer->num_updates(), static_cast<int64_t>(saved));
  for (uint64_t i = saved + 1; i <= saved + 4; ++i) update(whole, i), update(resumed, i);
  EXPECT_EQ(whole.difference(resumed), "")
      << variant.text() << (options.layerwise ? " layer-wise" : "") << ", saved after " << saved;
}

// The norm of the previous update, which clipping uses, is part of the state too. Both drivers write the same
// bits (Drivers.LayerwiseIsWholeModelToTheBit), so each of them resumes half of the cases.
TEST_P(State, ResumesToTheBit) {
  for (const Variant& variant : variants(preset())) {
    OptimizerOptions options = variant.options();
    options.max_grad_norm = 1;
    options.weight_decay = 0.1;
    for (const uint64_t saved : {0, 2}) expect_bit_identical_resume(variant, options, at::kFloat, saved);
    options.layerwise = true;
    expect_bit_identical_resume(variant, options, at::kFloat, 3);
    options.rounding = "stochastic";
    expect_bit_identical_resume(variant, options, at::kBFloat16, 2);
    if (variant.targeted && variant.keeps_codes()) continue;  // such weights have no master copy
    options.layerwise = false;
    options.master_weights = true;
    expect_bit_identical_resume(variant, options, at::kBFloat16, 2);
  }
}

TEST_P(State, OfAnotherPresetIsRefused) {
  const TestFolder folder;
  const Variant variant = variants(preset()).back();
  TestRun run(variant.optim, variant.args, all_kinds(), variant.options());
  StateWriter writer;
  run.optimizer->visit(writer);
  writer.write(folder / "s");
  const std::set<std::string> own = [&] {
    std::set<std::string> names;
    for (const auto& [name, value] : StateCopy(*run.optimizer).values) names.insert(name);
    return names;
  }();
  for (const Preset& other : presets()) {
    TestRun another(other.name, projects(other) ? "rank=4" : "", all_kinds());
    std::set<std::string> names;
    for (const auto& [name, value] : StateCopy(*another.optimizer).values) names.insert(name);
    if (names == own) continue;  // AdamW and 8-bit AdamW below min_8bit_size have the same state
    StateReader reader(folder / "s");
    EXPECT_THROW(
        {
          another.optimizer->visit(reader);
          reader.finish();
        },
        Error)
        << other.name;
  }
}

}  // namespace
}  // namespace galore::battery
