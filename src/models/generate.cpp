#include "models/generate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/errors.h"
#include "core/random.h"

namespace galore {
namespace {

struct Candidate {
  int64_t id;
  double weight;
};

// Candidates by falling probability, cut by top_k and then by top_p of the rest.
std::vector<Candidate> candidates_of(const at::Tensor& logits, const GenerateOptions& options) {
  const float* values = logits.const_data_ptr<float>();
  std::vector<int64_t> order(static_cast<size_t>(logits.numel()));
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto kept =
      options.top_k > 0 ? std::min<size_t>(order.size(), static_cast<size_t>(options.top_k)) : order.size();
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
      [&](int64_t a, int64_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  std::vector<Candidate> candidates;
  double total = 0;
  for (size_t i = 0; i < kept; ++i) {
    const double weight =
        std::exp((static_cast<double>(values[order[i]]) - values[order[0]]) / options.temperature);
    candidates.push_back({order[i], weight});
    total += weight;
  }
  double mass = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    mass += candidates[i].weight / total;
    if (mass >= options.top_p) {
      candidates.resize(i + 1);
      break;
    }
  }
  return candidates;
}

int64_t choose(const at::Tensor& logits, const GenerateOptions& options, RandomStream& random) {
  if (!options.do_sample) return logits.argmax().item<int64_t>();
  const std::vector<Candidate> candidates = candidates_of(logits, options);
  double total = 0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  double left = random.uniform() * total;
  for (const Candidate& candidate : candidates) {
    left -= candidate.weight;
    if (left < 0) return candidate.id;
  }
  return candidates.back().id;
}

}  // namespace

std::vector<int64_t> generate(CausalLM& model, const std::vector<int64_t>& prompt,
                              const GenerateOptions& options, const std::function<void(int64_t)>& receive) {
  if (prompt.empty()) fail_usage("generate", "expected a prompt of at least one token");
  RandomStream random(options.seed, "generate");
  const auto cache = model.new_cache(static_cast<int64_t>(prompt.size()) + options.max_new_tokens);
  at::Tensor ids = at::tensor(prompt, at::kLong);
  std::vector<int64_t> output;
  while (static_cast<int64_t>(output.size()) < options.max_new_tokens) {
    const int64_t id = choose(model.next_logits(ids, *cache).cpu(), options, random);
    output.push_back(id);
    if (receive) receive(id);
    if (options.stop_id && id == *options.stop_id) break;
    ids = at::tensor({id}, at::kLong);
  }
  return output;
}

}  // namespace galore
