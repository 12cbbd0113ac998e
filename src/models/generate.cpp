#include "models/generate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "core/errors.h"
#include "core/random.h"

namespace galore {
namespace {

// Applies CTRL's penalty (Keskar et al., 2019): tokens of the sequence become less likely, whether they were
// likely or not.
at::Tensor penalized(const at::Tensor& logits, const std::vector<int64_t>& sequence, double penalty) {
  if (penalty == 1) return logits;
  at::Tensor changed = logits.clone();
  float* values = changed.data_ptr<float>();
  const auto factor = static_cast<float>(penalty);
  for (const int64_t id : std::set<int64_t>(sequence.begin(), sequence.end()))
    values[id] = values[id] < 0 ? values[id] * factor : values[id] / factor;
  return changed;
}

// Returns the most probable ids, the most probable first, with their probabilities relative to it.
std::vector<Candidate> most_probable(const at::Tensor& logits, size_t count, double temperature) {
  const float* values = logits.const_data_ptr<float>();
  std::vector<int64_t> order(static_cast<size_t>(logits.numel()));
  std::iota(order.begin(), order.end(), int64_t{0});
  const size_t kept = std::min(order.size(), count);
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
      [&](int64_t a, int64_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < kept; ++i) {
    const double below = static_cast<double>(values[order[i]]) - values[order[0]];
    candidates.push_back({order[i], std::exp(below / temperature)});
  }
  return candidates;
}

double total(const std::vector<Candidate>& candidates) {
  double sum = 0;
  for (const Candidate& candidate : candidates) sum += candidate.probability;
  return sum;
}

void keep_mass(std::vector<Candidate>& candidates, double top_p) {
  const double all = total(candidates);
  double mass = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    mass += candidates[i].probability / all;
    if (mass >= top_p) return candidates.resize(i + 1);
  }
}

void keep_entropy(std::vector<Candidate>& candidates, double top_h) {
  constexpr size_t kMostTokens = 100;
  if (candidates.size() > kMostTokens) candidates.resize(kMostTokens);
  const double all = total(candidates);
  const auto term = [&](const Candidate& candidate) {
    const double p = candidate.probability / all;
    return p > 0 ? -p * std::log(p) : 0;
  };
  double entropy = 0, sum = 0;
  for (const Candidate& candidate : candidates) entropy += term(candidate);
  for (size_t i = 0; i < candidates.size(); ++i) {
    sum += term(candidates[i]);
    if (sum > top_h * entropy) return candidates.resize(std::max<size_t>(i, 1));
  }
}

int64_t choose(const at::Tensor& logits, const std::vector<int64_t>& sequence, const GenerateOptions& options,
               RandomStream& random) {
  if (!options.do_sample || options.temperature == 0)
    return penalized(logits, sequence, options.repetition_penalty).argmax().item<int64_t>();
  const std::vector<Candidate> candidates = sampling_candidates(logits, sequence, options);
  double left = random.uniform();
  for (const Candidate& candidate : candidates) {
    left -= candidate.probability;
    if (left < 0) return candidate.id;
  }
  return candidates.back().id;
}

// An incomplete character decodes to U+FFFD.
constexpr const char* kReplacement = "\xef\xbf\xbd";

bool holds_one(const std::string& text, const std::vector<std::string>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const std::string& part) { return text.find(part) != std::string::npos; });
}

}  // namespace

std::vector<Candidate> sampling_candidates(const at::Tensor& logits, const std::vector<int64_t>& sequence,
                                           const GenerateOptions& options) {
  const size_t top_k = options.top_k > 0 ? static_cast<size_t>(options.top_k) : SIZE_MAX;
  std::vector<Candidate> candidates =
      most_probable(penalized(logits, sequence, options.repetition_penalty),
                    options.top_h > 0 ? SIZE_MAX : top_k, options.temperature);
  if (options.top_h > 0) keep_entropy(candidates, options.top_h);
  if (top_k < candidates.size()) candidates.resize(top_k);
  if (options.top_p < 1) keep_mass(candidates, options.top_p);
  // The probability of the first one is 1.
  std::erase_if(candidates, [&](const Candidate& c) { return c.probability < options.min_p; });
  const double all = total(candidates);
  for (Candidate& candidate : candidates) candidate.probability /= all;
  return candidates;
}

at::Tensor CachedSequence::next_logits(const std::vector<int64_t>& sequence, int64_t room) {
  const auto length = static_cast<int64_t>(sequence.size());
  const bool goes_on = cache_ && seen_.size() < sequence.size() && length <= capacity_ &&
                       std::equal(seen_.begin(), seen_.end(), sequence.begin());
  if (!goes_on) {
    // A conversation that outgrows its cache gets one with room for more, so that few of them are filled
    // anew.
    const int64_t needed = length + room, most = model_.config().max_position_embeddings;
    capacity_ = cache_ && length > capacity_ ? std::max(needed, std::min(2 * needed, most)) : needed;
    seen_.clear();
    cache_ = model_.new_cache(capacity_);
  }
  reused_ = static_cast<int64_t>(seen_.size());
  const at::Tensor fresh = at::tensor(at::ArrayRef<int64_t>(sequence).slice(seen_.size()), at::kLong);
  const at::Tensor logits = model_.next_logits(fresh, *cache_).cpu();
  seen_ = sequence;
  return logits;
}

std::vector<int64_t> generate(CachedSequence& cached, const std::vector<int64_t>& prompt,
                              const GenerateOptions& options, const std::function<bool(int64_t)>& receive) {
  if (prompt.empty()) fail_usage("generate", "expected a prompt of at least one token");
  RandomStream random(options.seed, "generate");
  std::vector<int64_t> sequence = prompt;
  for (int64_t i = 0; i < options.max_new_tokens; ++i) {
    const int64_t id =
        choose(cached.next_logits(sequence, options.max_new_tokens - i), sequence, options, random);
    sequence.push_back(id);
    const auto& stop = options.stop_ids;
    const bool wanted = !receive || receive(id);
    if (!wanted || std::find(stop.begin(), stop.end(), id) != stop.end()) break;
  }
  return {sequence.begin() + static_cast<std::ptrdiff_t>(prompt.size()), sequence.end()};
}

std::vector<int64_t> generate(CausalLM& model, const std::vector<int64_t>& prompt,
                              const GenerateOptions& options, const std::function<bool(int64_t)>& receive) {
  CachedSequence cached(model);
  return generate(cached, prompt, options, receive);
}

TextStream::TextStream(Decode decode, std::vector<int64_t> prompt)
    : decode_(std::move(decode)), ids_(std::move(prompt)), shown_(decode_(ids_)) {}

std::string TextStream::add(int64_t id) {
  ids_.push_back(id);
  const std::string all = decode_(ids_);
  if (all.ends_with(kReplacement) || all.size() <= shown_.size()) return "";
  const std::string fresh = all.substr(shown_.size());
  shown_ = all;
  return fresh;
}

GeneratedText generate_text(CachedSequence& sequence, const std::vector<int64_t>& prompt,
                            const GenerateOptions& options, const std::vector<std::string>& stop_strings,
                            const Decode& decode, const std::function<void(const std::string&)>& receive) {
  TextStream stream(decode, prompt);
  GeneratedText result;
  result.ids = generate(sequence, prompt, options, [&](int64_t id) {
    const std::string fresh = stream.add(id);
    result.text += fresh;
    if (receive) receive(fresh);
    return !holds_one(result.text, stop_strings);
  });
  return result;
}

GeneratedText generate_text(CausalLM& model, const std::vector<int64_t>& prompt,
                            const GenerateOptions& options, const std::vector<std::string>& stop_strings,
                            const Decode& decode, const std::function<void(const std::string&)>& receive) {
  CachedSequence sequence(model);
  return generate_text(sequence, prompt, options, stop_strings, decode, receive);
}

}  // namespace galore
