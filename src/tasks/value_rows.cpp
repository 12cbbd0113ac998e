#include "tasks/value_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/errors.h"
#include "tasks/score_rows.h"

namespace galore {
namespace {

using Json = nlohmann::json;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double finite_number(const Json& value, const std::string& key, const std::string& where) {
  if (!value.is_number() || !std::isfinite(value.get<double>()))
    fail(where, "{}: expected a number, given {}", key, value.dump().substr(0, 60));
  return value.get<double>();
}

const Json& list_at(const Json& values, const std::string& key, const std::string& where) {
  const Json& list = values.at(key);
  if (!list.is_array()) fail(where, "{}: expected a list of numbers", key);
  return list;
}

const Json& list_at(const TaskRow& row, const std::string& key) {
  return list_at(row.values, key, row.where);
}

std::vector<double> numbers_at(const Json& lists, const std::string& key, const std::string& where) {
  std::vector<double> values;
  for (const Json& item : list_at(lists, key, where)) values.push_back(finite_number(item, key, where));
  return values;
}

// With c51 every target is a distribution over the head's locations, because a row may bring one. A number
// that is NaN is no target.
void add_number(ExampleRow& out, const ValueSupport& support, double value) {
  if (!std::isnan(value)) {
    ++out.num_targets;
    out.num_clipped += !support.contains(value);
  }
  if (support.loss != ValueLoss::c51) {
    out.values.push_back(value);
    return;
  }
  std::vector<double> probabilities(static_cast<size_t>(support.num_bins), kNone);
  if (!std::isnan(value)) target_of(support, value, probabilities);
  out.values.insert(out.values.end(), probabilities.begin(), probabilities.end());
}

// Adds a place whose target is a number, which for a target network is a reward that ends an episode.
void add_place(ExampleRow& out, const RowEncoding& encoding, int64_t place, double value) {
  out.places.push_back(place);
  add_number(out, encoding.config.head.value, value);
  if (encoding.bootstraps) out.transitions.insert(out.transitions.end(), {value, 0, 1});
}

void add_distribution(ExampleRow& out, const TaskRow& row, const RowEncoding& encoding) {
  const Json& label = row.values.at("label");
  const ValueSupport& support = encoding.config.head.value;
  if (support.loss != ValueLoss::c51)
    fail(row.where, "label: a distribution needs value_head=c51, given {}", value_loss_name(support.loss));
  if (encoding.bootstraps)
    fail(row.where, "label: expected a number with target_network, given a distribution");
  if (!label.contains("values") || !label.contains("probs"))
    fail(row.where, "label: expected 'values' and 'probs'");
  const auto values = numbers_at(label, "values", row.where);
  auto masses = numbers_at(label, "probs", row.where);
  if (values.size() != masses.size() || values.empty())
    fail(row.where, "label: expected as many probs as values, given {} and {}", masses.size(), values.size());
  double sum = 0;
  for (const double mass : masses) sum += mass;
  if (std::any_of(masses.begin(), masses.end(), [](double mass) { return mass < 0; }))
    fail(row.where, "probs: expected no number below 0");
  if (std::abs(sum - 1) > 1e-3) fail(row.where, "probs: expected a sum of 1, given {}", sum);
  for (double& mass : masses) mass /= sum;
  out.values.resize(static_cast<size_t>(support.num_bins));
  project(support, values, masses, out.values);
  ++out.num_targets;
}

struct Step {
  int64_t token;
  double reward, discount, gain;  // gain: the return to the end of the episode; NaN if it is not known
};

// Returns for each reward whether it ends an episode. Without "dones" the row is one episode, which the last
// reward ends.
std::vector<bool> ends_of(const TaskRow& row, const Json& rewards) {
  const size_t count = rewards.size();
  std::vector<bool> ends(count, false);
  if (!row.values.contains("dones")) {
    size_t last = count;
    while (last > 0 && rewards[last - 1].is_null()) --last;
    if (last > 0) ends[last - 1] = true;
    return ends;
  }
  const Json& dones = row.values.at("dones");
  if (!dones.is_array() || dones.size() != count)
    fail(row.where, "dones: expected a list of {} truth values, one for each reward", count);
  for (size_t t = 0; t < count; ++t) {
    const Json& done = dones[t];
    if (!done.is_boolean() && done != 0 && done != 1)
      fail(row.where, "dones: expected true or false, given {}", done.dump().substr(0, 60));
    ends[t] = done.is_boolean() ? done.get<bool>() : done == 1;
  }
  return ends;
}

double factor_at(const TaskRow& row, const char* key) {
  if (!row.values.contains(key)) return 1;
  const double factor = finite_number(row.values.at(key), key, row.where);
  if (factor < 0 || factor > 1) fail(row.where, "{}: expected 0 to 1, given {}", key, factor);
  return factor;
}

// Returns the tokens with rewards and their returns G(t) = r(t) + gamma G(t + 1).
std::vector<Step> steps_of(const TaskRow& row) {
  const Json& rewards = list_at(row, "rewards");
  const std::vector<bool> ends = ends_of(row, rewards);
  const double gamma = factor_at(row, "gamma");
  std::vector<Step> steps;
  for (size_t t = 0; t < rewards.size(); ++t)
    if (!rewards[t].is_null())
      steps.push_back({static_cast<int64_t>(t), finite_number(rewards[t], "rewards", row.where),
                       ends[t] ? 0 : gamma, kNone});
  double next = kNone;
  for (size_t i = steps.size(); i-- > 0;) {
    const bool is_end = ends[static_cast<size_t>(steps[i].token)];
    next = steps[i].gain = is_end ? steps[i].reward : steps[i].reward + gamma * next;
  }
  return steps;
}

double lambda_of(const TaskRow& row, const RowEncoding& encoding) {
  const double lambda = factor_at(row, "lambda");
  if (lambda != 1 && encoding.is_for_training && !encoding.bootstraps)
    fail(row.where, "lambda: expected 1 (whole returns) without target_network, given {}", lambda);
  const bool has_samples = encoding.config.head.value.loss == ValueLoss::quantile;
  if (has_samples && encoding.bootstraps && lambda != 0 && lambda != 1)
    fail(row.where, "lambda: expected 0 or 1 with value_head=quantile, given {}", lambda);
  return lambda;
}

// Adds the steps within the row. The token of a step moves by `shift` to its place.
void add_steps(ExampleRow& out, const TaskRow& row, const RowEncoding& encoding, int64_t shift) {
  const double lambda = lambda_of(row, encoding);
  std::vector<Step> steps = steps_of(row);
  const auto length = static_cast<int64_t>(out.ids.size());
  std::erase_if(steps, [&](const Step& step) { return step.token >= length || step.token + shift < 0; });
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    if (std::isnan(step.gain) && !encoding.bootstraps) continue;
    out.places.push_back(step.token + shift);
    if (shift < 0) out.actions.push_back(out.ids[static_cast<size_t>(step.token)]);
    add_number(out, encoding.config.head.value, step.gain);
    // The state after the last step of a cut row is not in the row, so that step is only a next state.
    const bool is_open = i + 1 == steps.size() && step.discount != 0;
    if (encoding.bootstraps)
      out.transitions.insert(out.transitions.end(),
                             {is_open ? kNone : step.reward, is_open ? 0 : step.discount, lambda});
  }
}

// Adds a list of numbers, one for each token; null means that a token has none.
void add_labels(ExampleRow& out, const TaskRow& row, const RowEncoding& encoding) {
  const Json& labels = list_at(row, "labels");
  for (size_t t = 0; t < out.ids.size(); ++t)
    if (!labels[t].is_null())
      add_place(out, encoding, static_cast<int64_t>(t), finite_number(labels[t], "labels", row.where));
}

// Returns the number of tokens of a row with ids before it was cut, and nothing for a text.
std::optional<size_t> tokens_given(const TaskRow& row) {
  if (!row.values.contains("input_ids")) return std::nullopt;
  if (!row.values.contains("attention_mask")) return row.values["input_ids"].size();
  const Json& mask = row.values["attention_mask"];
  return static_cast<size_t>(std::count_if(mask.begin(), mask.end(), [](const Json& m) { return m != 0; }));
}

void require_length(const TaskRow& row, const char* key, size_t tokens) {
  const size_t given = list_at(row, key).size(), wanted = tokens_given(row).value_or(tokens);
  if (given < wanted || (given > wanted && tokens_given(row)))
    fail(row.where, "expected a number or null for each of {} tokens, given {}", wanted, given);
}

// A row that was cut in front of its numbers counts nothing, and a row without numbers is a mistake.
bool has_number(const TaskRow& row, const char* key) {
  const Json& list = row.values.at(key);
  return std::any_of(list.begin(), list.end(), [](const Json& item) { return !item.is_null(); });
}

// Returns the row without the numbers of tokens that attention_mask hides, which row_input() takes
// off, or nothing if the row has no mask.
std::optional<TaskRow> without_masked(const TaskRow& given) {
  if (!given.values.contains("input_ids") || !given.values.contains("attention_mask")) return std::nullopt;
  TaskRow row = given;
  const Json& mask = given.values["attention_mask"];
  for (const char* key : {"labels", "rewards", "dones"}) {
    if (!row.values.contains(key) || !mask.is_array() || row.values[key].size() != mask.size()) continue;
    Json& kept = row.values[key] = Json::array();
    for (size_t t = 0; t < mask.size(); ++t)
      if (mask[t] != 0) kept.push_back(given.values[key][t]);
  }
  return row;
}

// Rows without targets: the last token, or every one, gets a place. Actions are scored from the second token
// on.
ExampleRow row_to_score(const TaskRow& row, const RowEncoding& encoding, bool has_actions) {
  ExampleRow out = row_of(row_input(row, encoding));
  const int64_t last = scored_position(out.ids, encoding.config);
  for (int64_t t = encoding.every_token ? 0 : last; t <= last; ++t) {
    add_place(out, encoding, t, 0);
    if (has_actions) out.actions.push_back(t < last ? out.ids[static_cast<size_t>(t + 1)] : 0);
  }
  return out;
}

// Puts the prompt of a pair of texts in front of both.
TaskRow with_prompt(const TaskRow& given) {
  TaskRow row = given;
  if (!row.values.contains("prompt")) return row;
  for (const char* side : {"chosen", "rejected"}) {
    if (!row.values.contains(side)) continue;
    for (const char* key : {"prompt", side})
      if (!row.values[key].is_string()) fail(row.where, "{}: expected a string", key);
    row.values[side] = row.values["prompt"].get<std::string>() + row.values[side].get<std::string>();
  }
  return row;
}

}  // namespace

bool is_pair(const TaskRow& row) {
  return row.values.contains("chosen_input_ids") || row.values.contains("chosen");
}

ExampleRow pair_row(const TaskRow& given, const RowEncoding& encoding) {
  ExampleRow out;
  const TaskRow row = with_prompt(given);
  for (const std::string side : {"chosen", "rejected"}) {
    const std::vector<int64_t> ids = ids_of(row, side + "_input_ids", side, encoding);
    out.places.push_back(static_cast<int64_t>(out.ids.size()) + scored_position(ids, encoding.config));
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.ends.push_back(static_cast<int64_t>(out.ids.size()));
  }
  return out;
}

ExampleRow value_row(const TaskRow& given, const RowEncoding& encoding) {
  if (!encoding.needs_targets) return row_to_score(given, encoding, false);
  const std::optional<TaskRow> unmasked = without_masked(given);
  const TaskRow& row = unmasked ? *unmasked : given;
  const ValueSupport& support = encoding.config.head.value;
  ExampleRow out = row_of(row_input(row, encoding));
  const bool has_label = row.values.contains("label"), has_rewards = row.values.contains("rewards");
  if (!has_label && !row.values.contains("labels") && !has_rewards)
    fail(row.where, "expected 'label', 'labels', 'rewards', or a chosen and a rejected input");
  if (support.loss == ValueLoss::bradley_terry)
    fail(row.where,
         "expected a chosen and a rejected input: value_head=bradley_terry learns from pairs alone");
  if (has_label) {
    const Json& label = row.values.at("label");
    const int64_t place = scored_position(out.ids, encoding.config);
    if (label.is_object()) {
      out.places.push_back(place);
      add_distribution(out, row, encoding);
    } else {
      add_place(out, encoding, place, finite_number(label, "label", row.where));
    }
    return out;
  }
  require_length(row, has_rewards ? "rewards" : "labels", out.ids.size());
  has_rewards ? add_steps(out, row, encoding, 0) : add_labels(out, row, encoding);
  if (out.places.empty() && !has_number(row, has_rewards ? "rewards" : "labels"))
    fail(row.where, "expected a number for at least one token");
  return out;
}

ExampleRow action_row(const TaskRow& given, const RowEncoding& encoding) {
  if (!encoding.needs_targets) return row_to_score(given, encoding, true);
  const std::optional<TaskRow> unmasked = without_masked(given);
  const TaskRow& row = unmasked ? *unmasked : given;
  ExampleRow out = row_of(row_input(row, encoding));
  if (!row.values.contains("rewards")) fail(row.where, "expected 'rewards', one for each token");
  require_length(row, "rewards", out.ids.size());
  add_steps(out, row, encoding, -1);
  if (out.places.empty()) fail(row.where, "expected a reward for at least one token after the first");
  return out;
}

}  // namespace galore
