// Runs of tasks whose head scores rows, for tests.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "train/test_run.h"

namespace galore {

class ScoreRun : public TestRun {
 protected:
  // Writes rows of random tokens. `add` sets the targets of a row from its tokens.
  template <typename Add>
  std::string rows(const std::string& name, int64_t count, const Add& add) {
    RandomStream random(7, name.c_str());
    std::string text;
    for (int64_t i = 0; i < count; ++i) {
      nlohmann::json row;
      for (uint64_t t = 0; t < 3 + random.below(6); ++t)
        row["input_ids"].push_back(1 + random.below(kTinyVocabulary - 1));
      add(row);
      text += row.dump() + "\n";
    }
    write_file_atomically(folder_ / name, text);
    return (folder_ / name).string();
  }
  std::string classes(const std::string& name, int64_t count) {
    return rows(name, count, [](nlohmann::json& row) {
      row["label"] = row["input_ids"].back().get<int>() < kTinyVocabulary / 2 ? "low" : "high";
    });
  }
  Settings with(const Settings& more) const {
    return joined({"optim=adamw_torch", "optim_args=", "per_device_train_batch_size=8"}, more);
  }
  double value_of(const TrainResult& result, const std::string& metric) const {
    return result.evaluation->value(metric);
  }
};

// The reward of a token is 1 for the upper half of the vocabulary. Next tokens are random, so the value of a
// state is its reward plus a constant.
class Episodes : public ScoreRun {
 protected:
  std::string episodes(const std::string& name, int64_t count, double lambda) {
    return rows(name, count, [lambda](nlohmann::json& row) {
      for (const auto& id : row["input_ids"])
        row["rewards"].push_back(id.get<int>() >= kTinyVocabulary / 2 ? 1 : 0);
      row["gamma"] = 0.5;
      row["lambda"] = lambda;
    });
  }
  Settings episode_run(const std::string& task, double lambda, const Settings& more) {
    const std::string file = episodes("episodes.jsonl", 150, lambda);
    return joined(with({"task=" + task, "value_head_args=v_min=-0.5,v_max=2.5,num_bins=31", "max_steps=150",
                        "train_file=" + file, "eval_file=" + file, "target_update_interval=10"}),
                  more);
  }
};

}  // namespace galore
