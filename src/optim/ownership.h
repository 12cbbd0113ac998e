// Decides for each weight which of several processes keeps its state.
//
// The owner of a weight receives the sum of its gradients, makes the update, and answers with what the others
// need for it:
//
//   value      the new value of the weight. The others have no state of the weight and no basis.
//   direction  the low-rank direction, and after a refresh the new basis. The others form low-rank gradients
//              by their copy of the basis, and lift the direction by it.
//
// Weights without an answer have their state in every process, and every process makes their updates.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/collective.h"
#include "core/memory.h"
#include "core/parameter.h"
#include "optim/methods/method_kind.h"
#include "optim/optimizer_options.h"

namespace galore {

struct StatePlace {
  enum class Answer { none, value, direction };
  Answer answer = Answer::none;
  int owner = kEveryProcess;
  bool is_here = true;
  bool has_basis = false;  // at the owner at least
  int64_t bytes = 0;       // of the state that only the owner has
  bool is_owned() const { return owner != kEveryProcess; }
};

struct OwnedBytes {
  std::string name;
  int64_t bytes = 0;  // that the owner keeps: the state, and the sum of an update without a refresh
};

// Returns the owner of each weight: the largest weight first, each to the process with the fewest bytes.
// Weights of equal sizes follow their names, and processes of equal loads their numbers.
std::vector<int> owners_of(const std::vector<OwnedBytes>& weights, int processes);

// Returns the places of the states of trainable parameters, which are the same facts in all processes.
// `targeted` holds one value for each of them, and `num_layers` is the model's number of layers.
std::vector<StatePlace> places_of(const ParameterList& trainable, const OptimizerOptions& options,
                                  const std::vector<bool>& targeted, int64_t num_layers,
                                  const Collective& collective);

// Makes the part of a method that a process needs for a weight of another owner: the subspace that forms
// low-rank gradients and lifts, or nothing. It is never asked for a direction.
std::unique_ptr<Method> make_follower(const MethodInputs& inputs, StatePlace::Answer answer);

}  // namespace galore
