// Loss and perplexity over a data set.
#pragma once

#include <cstdint>
#include <functional>

#include "data/batch_source.h"
#include "models/causal_lm.h"

namespace galore {

struct Evaluation {
  double loss = 0;        // mean over tokens, natural logarithm
  double perplexity = 0;  // exp(loss)
  // The GaLore family's evaluator divides the sum of batch means by one batch too many (its counter starts at
  // 1): for comparison with those papers only.
  double loss_family = 0;
  int64_t num_tokens = 0, num_batches = 0;
  double seconds = 0;
  bool interrupted = false;  // the rest says nothing
};

// From the beginning of `data`; at most `max_batches` (0: all). `is_unwanted` is asked before each batch.
Evaluation evaluate(CausalLM& model, BatchSource& data, int64_t max_batches = 0,
                    const std::function<bool()>& is_unwanted = {});

}  // namespace galore
