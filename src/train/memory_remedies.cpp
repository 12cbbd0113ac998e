// Proposes changes that make a run fit into memory, in the order in which a user would accept them: first
// changes that leave the result unchanged, then changes of its rounding, then changes of the optimizer.
#include <algorithm>
#include <optional>
#include <span>

#include "core/dtypes.h"
#include "core/errors.h"
#include "optim/composition.h"
#include "optim/presets.h"
#include "train/memory_fit.h"

namespace galore {
namespace {

struct Change {
  std::string text;
  TrainOptions options;
};
using Changes = std::vector<Change>;  // changes of one kind, the mildest first

Changes smaller_batch(const TrainOptions& options) {
  Changes changes;
  for (const BatchSize& size : equal_batches(options)) {
    if (size.rows == options.per_device_train_batch_size) continue;
    changes.push_back({size.text(), options});
    set_batch_size(changes.back().options, size);
  }
  return changes;
}

Changes smaller_evaluation(const TrainOptions& options) {
  Changes changes;
  for (int64_t rows = options.per_device_eval_batch_size / 2; rows > 0; rows /= 2) {
    changes.push_back({fmt::format("per_device_eval_batch_size={}", rows), options});
    changes.back().options.per_device_eval_batch_size = rows;
  }
  return changes;
}

Changes recomputation(const TrainOptions& options) {
  Change change{"gradient_checkpointing=true", options};
  change.options.gradient_checkpointing = true;
  return {change};
}

Changes narrow_weights(const TrainOptions& options) {
  Change change{"bf16=true", options};
  change.options.dtype = dtype_name(at::kBFloat16);
  return {change};
}

// Returns the optimizer with 8-bit moments: the preset for it or, if there is none, a composition.
std::string eight_bit_form(const TrainOptions& options) {
  const std::string storage = ",storage=blockwise_8bit";
  if (is_composition(options.optim)) return options.optim + storage;
  const std::string base = find_preset(options.optim).name;
  const std::string suffix = options.optimizer.settings->layerwise ? "_layerwise" : "";
  const std::string wanted = base.substr(0, base.rfind("_torch")) + "_8bit";
  const auto& all = presets();
  const bool is_named =
      std::any_of(all.begin(), all.end(), [&](const Preset& preset) { return preset.name == wanted; });
  return is_named ? wanted + suffix : "method=" + base + suffix + storage;
}

Changes eight_bit(const TrainOptions& options) {
  if (options.optimizer.settings->storage.storage != "float32") return {};
  const auto settings = parse_pairs("optim_args", options.optim_args);
  Change change{"optim=" + eight_bit_form(options), options};
  change.options.optim = change.text.substr(change.text.find('=') + 1);
  try {
    change.options.optimizer.settings = resolve_optimizer(change.options.optim, "", settings);
  } catch (const UsageError&) {
    return {};  // the optimizer has nothing to store in 8 bits
  }
  return {change};
}

Changes layerwise(const TrainOptions& options) {
  if (options.spike_threshold > 0) return {};  // spike_threshold is refused in layer-wise mode
  Change change{"optim_layerwise=true", options};
  change.options.optimizer.layerwise = true;
  return {change};
}

Changes smaller_rank(const TrainOptions& options) {
  if (option_text(options.optimizer.settings, "rank").empty()) return {};
  Changes changes;
  // A rank below a quarter of the requested rank would be another experiment.
  const int64_t rank = options.optimizer.settings->subspace.rank;
  for (int64_t smaller = rank / 2; smaller > 0 && smaller >= rank / 4; smaller /= 2) {
    changes.push_back({fmt::format("rank={} in optim_args", smaller), options});
    changes.back().options.optimizer.settings->subspace.rank = smaller;
  }
  return changes;
}

// Accumulation costs one full buffer per weight in layer-wise mode and wherever no full gradient is formed. A
// larger batch does not cost this buffer.
Changes no_accumulation(const TrainOptions& options) {
  const int64_t micro_batches = options.gradient_accumulation_steps;
  if (micro_batches == 1) return {};
  const BatchSize size{options.per_device_train_batch_size * micro_batches, 1};
  Change change{size.text(), options};
  set_batch_size(change.options, size);
  Changes changes{change};
  for (const Change& both : layerwise(change.options))
    changes.push_back({change.text + ", " + both.text, both.options});
  return changes;
}

// With accumulation, bases from the gradient of the whole update cost that full gradient for each weight
// whose basis is due.
Changes bases_of_first_micro_batch(const TrainOptions& options) {
  const bool helps = options.gradient_accumulation_steps > 1 && options.optimizer.gradient == "projected";
  if (!helps || options.auto_find_batch_size) return {};
  Change change{"basis_gradient=first_micro_batch", options};
  change.options.optimizer.basis_gradient = "first_micro_batch";
  return {change};
}

using Kind = Changes (*)(const TrainOptions&);
constexpr Kind kSingle[] = {smaller_batch,      no_accumulation, bases_of_first_micro_batch,
                            smaller_evaluation, recomputation,   narrow_weights,
                            eight_bit,          layerwise,       smaller_rank};
// The orders in which changes are combined. Smaller batches require accumulation, and layer-wise updates save
// most without it.
constexpr Kind kBatchFirst[] = {smaller_batch, smaller_evaluation, recomputation, narrow_weights,
                                eight_bit,     layerwise,          smaller_rank};
constexpr Kind kBatchLast[] = {smaller_evaluation, recomputation, narrow_weights, eight_bit,
                               layerwise,          smaller_rank,  smaller_batch};
constexpr Kind kWithoutAccumulation[] = {recomputation, no_accumulation, smaller_evaluation, narrow_weights,
                                         eight_bit,     layerwise,       smaller_rank};

struct Proposal {
  std::string text;
  TrainOptions options;
  MemoryFit fit;
};

class Search {
 public:
  Search(const ModelConfig& config, const MemoryAtHand& at_hand) : config_(config), at_hand_(at_hand) {}

  // Returns the mildest change of this kind that fits or, if none fits, the one that needs least memory;
  // nothing if no change lowers the need.
  std::optional<Proposal> best(Kind kind, const TrainOptions& options, int64_t need) const {
    std::optional<Proposal> least;
    for (const Change& change : kind(options)) {
      const auto fit = fit_of(change.options);
      if (!fit || fit->need() >= (least ? least->fit.need() : need)) continue;
      least = Proposal{change.text, change.options, *fit};
      if (fit->fits()) return least;
    }
    return least;
  }
  std::vector<Proposal> single(const TrainOptions& options, int64_t need) const {
    std::vector<Proposal> fitting;
    for (const Kind kind : kSingle)
      if (const auto proposal = best(kind, options, need); proposal && proposal->fit.fits())
        fitting.push_back(*proposal);
    return fitting;
  }
  // Combines the best change of each kind that lowers the need until the run fits.
  std::optional<Proposal> combined(std::span<const Kind> kinds, const TrainOptions& options,
                                   int64_t need) const {
    std::optional<Proposal> all;
    for (const Kind kind : kinds) {
      auto next = best(kind, all ? all->options : options, all ? all->fit.need() : need);
      if (!next) continue;
      if (all) next->text = all->text + ", " + next->text;
      all = std::move(next);
      if (all->fit.fits()) break;
    }
    return all;
  }
  // Returns the result of the first order that makes the run fit or, if none does, the result that needs
  // least memory.
  std::optional<Proposal> combined(const TrainOptions& options, int64_t need) const {
    std::optional<Proposal> least;
    for (const std::span<const Kind> kinds :
         {std::span<const Kind>(kBatchFirst), std::span<const Kind>(kBatchLast),
          std::span<const Kind>(kWithoutAccumulation)}) {
      auto proposal = combined(kinds, options, need);
      if (!proposal || (least && proposal->fit.need() >= least->fit.need())) continue;
      least = std::move(proposal);
      if (least->fit.fits()) break;
    }
    return least;
  }

 private:
  // Returns nothing for options that the optimizer refuses.
  std::optional<MemoryFit> fit_of(const TrainOptions& options) const {
    try {
      return plan_fit(options, config_, at_hand_);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  const ModelConfig& config_;
  const MemoryAtHand& at_hand_;
};

std::string with_size(const Proposal& proposal) {
  return fmt::format("{} ({})", proposal.text, format_bytes(static_cast<double>(proposal.fit.need())));
}

}  // namespace

std::string remedies(const TrainOptions& options, const ModelConfig& config, const MemoryFit& fit) {
  const Search search(config, fit.at_hand);
  std::string text;
  for (const Proposal& proposal : search.single(options, fit.need()))
    text += (text.empty() ? "each of these fits: " : ", ") + with_size(proposal);
  if (!text.empty()) return text;
  const auto combined = search.combined(options, fit.need());
  if (!combined) return "no option makes it smaller";
  return (combined->fit.fits() ? "together these fit: " : "smaller, but not enough: ") + with_size(*combined);
}

}  // namespace galore
