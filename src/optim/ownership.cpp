#include "optim/ownership.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/errors.h"
#include "optim/parameter_groups.h"
#include "optim/settings.h"
#include "optim/weight_state.h"

namespace galore {
namespace {

using Answer = StatePlace::Answer;

class Follower : public Method {
 public:
  explicit Follower(std::unique_ptr<Subspace> subspace) : subspace_(std::move(subspace)) {}
  Direction direction(at::Tensor, const StepContext&) override {
    GALORE_ASSERT(!"another process makes the updates of this weight");
    return {};
  }
  Subspace* subspace() override { return subspace_.get(); }
  bool reads_low_rank() const override { return subspace_ != nullptr; }
  void visit(StateVisitor& visitor) override {
    if (subspace_) subspace_->visit(visitor);
  }

 private:
  std::unique_ptr<Subspace> subspace_;
};

// Returns true if the answer of an owner would be larger than the sum of the gradients: directions are sent
// in fp32, and values in the weight's own format.
bool sends_more(const WeightState& weight, Answer answer, const std::string& exchange_dtype) {
  if (exchange_dtype == "float32") return false;
  return answer == Answer::direction ||
         (!weight.parameter.codes && weight.parameter.value.scalar_type() == at::kFloat);
}

Answer answer_of(const WeightState& weight) {
  if (!weight.has_method()) return Answer::value;
  const MethodTraits& traits = weight.settings.method->traits();
  if (traits.takes_turns) return Answer::none;
  if (!weight.method->reads_low_rank()) return Answer::value;
  return traits.lifts_alone ? Answer::direction : Answer::none;
}

int64_t bytes_at_owner(const Ledger& counted, Answer answer) {
  const int64_t moments = counted.bytes(Owner::moments);
  if (answer == Answer::direction) return moments;
  return moments + counted.bytes(Owner::bases) + counted.bytes(Owner::master_weights);
}

// An exchange may last this much longer because of one weight, as a share of its time without owners.
constexpr double kMostDelay = 0.25;

struct Candidate {
  StatePlace place;
  int64_t numbers = 0;  // that are sent in an update without a refresh
  bool sends_more = false;
};

Candidate candidate_of(Parameter& parameter, const OptimizerOptions& options, bool targeted,
                       int64_t num_layers) {
  Ledger counted(at::kMeta);
  Workspace workspace(counted);
  const WeightState weight(parameter, options, targeted, num_layers, workspace);
  Candidate candidate;
  candidate.place.answer = answer_of(weight);
  candidate.place.has_basis = weight.subspace() != nullptr;
  candidate.place.bytes = bytes_at_owner(counted, candidate.place.answer);
  const bool is_low_rank = options.gradient == "projected" && weight.method->reads_low_rank();
  candidate.numbers =
      is_low_rank ? c10::multiply_integers(weight.subspace()->low_rank_shape()) : parameter.numel();
  candidate.sends_more = sends_more(weight, candidate.place.answer, options.exchange_dtype);
  return candidate;
}

// Returns by how much an owner delays the exchange of all numbers. Its link alone carries the weight's
// numbers to and from N - 1 processes, which takes N times as long as in equal parts. Where at least N
// weights are about as large, they have N owners, whose links work at the same time.
double delay_by_owner(const std::vector<Candidate>& candidates, int64_t numbers, int64_t all_numbers,
                      int processes) {
  const auto alike = std::count_if(candidates.begin(), candidates.end(),
                                   [&](const Candidate& other) { return 2 * other.numbers >= numbers; });
  if (alike >= processes) return 0;
  return (processes - 1) * static_cast<double>(numbers) / static_cast<double>(all_numbers);
}

}  // namespace

std::vector<int> owners_of(const std::vector<OwnedBytes>& weights, int processes) {
  std::vector<size_t> order(weights.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(-weights[a].bytes, weights[a].name) < std::pair(-weights[b].bytes, weights[b].name);
  });
  std::vector<int> owners(weights.size(), 0);
  std::vector<int64_t> loads(static_cast<size_t>(processes), 0);
  for (const size_t weight : order) {
    const auto least = std::min_element(loads.begin(), loads.end());
    *least += weights[weight].bytes;
    owners[weight] = static_cast<int>(least - loads.begin());
  }
  return owners;
}

std::vector<StatePlace> places_of(const ParameterList& trainable, const OptimizerOptions& options,
                                  const std::vector<bool>& targeted, int64_t num_layers,
                                  const Collective& collective) {
  std::vector<StatePlace> places(trainable.size());
  if (collective.size() == 1 || options.exchange_updates == "all") return places;
  int64_t all_numbers = 0;
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < trainable.size(); ++i) {
    candidates.push_back(candidate_of(*trainable[i], options, targeted[i], num_layers));
    all_numbers += candidates.back().numbers;
  }
  std::vector<OwnedBytes> owned;
  std::vector<size_t> indices;
  for (size_t i = 0; i < trainable.size(); ++i) {
    const Candidate& candidate = candidates[i];
    const bool is_costly = candidate.sends_more || delay_by_owner(candidates, candidate.numbers, all_numbers,
                                                                  collective.size()) > kMostDelay;
    if (candidate.place.answer == Answer::none || (options.exchange_updates == "auto" && is_costly)) continue;
    places[i] = candidate.place;
    indices.push_back(i);
    owned.push_back({trainable[i]->name, candidate.place.bytes + 4 * candidate.numbers});
  }
  const std::vector<int> owners = owners_of(owned, collective.size());
  for (size_t k = 0; k < indices.size(); ++k) {
    places[indices[k]].owner = owners[k];
    places[indices[k]].is_here = owners[k] == collective.index();
  }
  return places;
}

std::unique_ptr<Method> make_follower(const MethodInputs& inputs, StatePlace::Answer answer) {
  return std::make_unique<Follower>(answer == Answer::direction ? inputs.subspace() : nullptr);
}

}  // namespace galore
