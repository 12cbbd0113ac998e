// Turns rows with numbers, rewards, distributions and pairs into the examples of a value head.
//
// A reward belongs to the token at its place in the list. A null is no step of an episode: the state after a
// reward is the next token that has one. `dones` marks the tokens at which an episode ends; without `dones`
// the last reward ends it. Rewards after the last end have no known return: they count only with a target
// network, and the last one then only as a next state.
#pragma once

#include "data/batch_builder.h"
#include "tasks/task.h"

namespace galore {

// Makes the example of a row whose values are those of tokens or of the whole row.
ExampleRow value_row(const TaskRow& row, const RowEncoding& encoding);
// Makes the example of a row of rewards whose values are those of actions: a token with a reward is an action
// in the state that ends before it. The first token of a row is no action.
ExampleRow action_row(const TaskRow& row, const RowEncoding& encoding);
// Makes the example of a chosen and a rejected input: ids, or texts that may share the beginning "prompt".
ExampleRow pair_row(const TaskRow& row, const RowEncoding& encoding);
bool is_pair(const TaskRow& row);

}  // namespace galore
