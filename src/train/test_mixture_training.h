// A run on a mixture of sources, for tests.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/test_run.h"

namespace galore {

class MixtureTraining : public TestRun {
 protected:
  MixtureTraining() {
    std::vector<int> noise;
    RandomStream random(9, "test noise");
    for (int i = 0; i < 1600; ++i) noise.push_back(static_cast<int>(random.below(kTinyVocabulary)));
    write_tokens(folder_ / "noise.bin", noise);
    write_tokens(folder_ / "more.bin", tiny_tokens(800, 3));
  }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  // A clean source of 75 rows, one of noise of 100 rows and a clean one of 50 rows.
  std::string sources(const std::string& clean = "", const std::string& noise = "",
                      const std::string& more = "") const {
    return "mixture=name=clean,files=" + file("train.bin") + clean +
           ";name=noise,files=" + file("noise.bin") + noise + ";name=more,files=" + file("more.bin") + more;
  }
  Settings with(const Settings& more) const {
    return joined({"train_file=", "max_steps=12", "save_steps=5"}, more);
  }
  // Returns the events "mixture" without their times.
  std::vector<nlohmann::json> mixture_events(const std::string& run) const {
    auto all = events(run, "mixture");
    for (auto& event : all) {
      event.erase("time");
      event.erase("seconds");
    }
    return all;
  }
  // Expects that a run which goes on from step 5 ends as the run that was never interrupted.
  void expect_exact_resume(const std::string& name, Settings settings) {
    settings = with(settings);
    settings.push_back(output(name));
    train(settings);
    const std::string end = weights(name);
    const auto logged = mixture_events(name);
    std::filesystem::remove_all(folder_ / name / "checkpoint-12");
    std::filesystem::remove_all(folder_ / name / "checkpoint-10");
    settings.push_back("resume_from_checkpoint=true");
    train(settings);
    EXPECT_EQ(weights(name), end) << name;
    EXPECT_EQ(mixture_events(name), logged) << name;
  }
};

}  // namespace galore
