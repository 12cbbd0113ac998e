// Runs of several processes in one program, for tests. Threads play the processes, over real gloo
// connections, so that a run takes a tenth of a second.
#pragma once

#include <exception>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "distributed/exchange.h"
#include "train/distribution.h"
#include "train/test_run.h"

namespace galore {

// `Run` is TestRun or a class that is derived from it.
template <typename Run>
class Together : public Run {
 protected:
  using Settings = typename Run::Settings;

  // Calls `work` in each of `processes` processes. Throws what the process that failed by itself has thrown.
  static void in_processes(int64_t processes, const std::function<void(Exchange&)>& work) {
    const auto store = thread_store();
    std::vector<std::exception_ptr> errors(static_cast<size_t>(processes));
    {
      std::vector<std::jthread> threads;
      for (int64_t rank = 0; rank < processes; ++rank)
        threads.emplace_back([&, rank] {
          try {
            join(*store->clone(), rank, processes, work);
          } catch (...) {
            errors[static_cast<size_t>(rank)] = std::current_exception();
          }
        });
    }
    std::exception_ptr lost;
    for (const std::exception_ptr& error : errors) try {
        if (error) std::rethrow_exception(error);
      } catch (const LostProcess&) {
        lost = error;
      }
    if (lost) std::rethrow_exception(lost);
  }

  // Trains with base() and `settings`.
  void train_together(int64_t processes, const Settings& settings) const {
    in_processes(processes, [&](Exchange& exchange) {
      TrainOptions options;
      OptionTable table;
      options.process = exchange.index();
      options.processes = options.local_processes = processes;
      this->declare_settings(settings, options, table);
      keep_sums(options, table, exchange);
      const auto notes = resolve(options, table);
      Trainer trainer(
          options, notes, make_model, [](const std::string&) {}, exchange);
      while (!trainer.done()) trainer.step();
      trainer.finish();
    });
  }

  // Expects that `processes` processes write the files of one, and log its losses and metrics.
  void expect_the_run_of_one(const std::string& name, Settings settings, int64_t processes = 2,
                             int64_t micro_batches = 4) {
    SCOPED_TRACE(name);
    const std::string one = "one_" + name, many = "many_" + name;
    settings.push_back("reduction_groups=" + std::to_string(micro_batches));
    const auto with = [&](const std::string& output, int64_t own_micro_batches) {
      Settings all = settings;
      all.push_back("gradient_accumulation_steps=" + std::to_string(own_micro_batches));
      all.push_back(this->output(output));
      return all;
    };
    this->train(with(one, micro_batches));
    train_together(processes, with(many, micro_batches / processes));
    expect_equal_files(one, many);
    for (const char* event : {"step", "eval", "mixture"}) EXPECT_EQ(facts(many, event), facts(one, event));
  }

  void expect_equal_files(const std::string& name, const std::string& other) const {
    const auto own = files(name), expected = files(other);
    EXPECT_FALSE(own.empty());
    EXPECT_EQ(own.size(), expected.size());
    for (const auto& [path, text] : own)
      EXPECT_TRUE(expected.contains(path) && expected.at(path) == text) << path;
  }

 private:
  static void join(Store& store, int64_t rank, int64_t processes,
                   const std::function<void(Exchange&)>& work) {
    at::set_num_threads(1);
    const auto group = make_group(store, {rank, processes, "127.0.0.1", "", 60, "group"});
    Exchange exchange(*group, rank, processes,
                      [](const std::exception& error) { return std::string(error.what()); });
    work(exchange);
    exchange.gather({0});  // nobody leaves early
  }

  // Returns the files of a run by their paths, without the name of its folder in their texts.
  std::map<std::string, std::string> files(const std::string& name) const {
    const Path folder = this->folder_ / name;
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file() || entry.path().filename() == "metrics.jsonl") continue;
      std::string text = file_text(entry.path());
      for (size_t at = text.find(folder.string()); at != std::string::npos; at = text.find(folder.string()))
        text.erase(at, folder.string().size());
      all[entry.path().lexically_relative(folder).string()] = text;
    }
    return all;
  }
  // Returns the events of one kind without times and sizes.
  std::vector<nlohmann::json> facts(const std::string& name, const std::string& kind) const {
    static const std::set<std::string> kept{"step",    "loss",   "grad_norm", "tokens_seen",
                                            "weights", "tokens", "epochs"};
    std::vector<nlohmann::json> all;
    for (const auto& event : this->events(name, kind)) {
      nlohmann::json fact;
      for (const auto& [key, value] : event.items())
        if (kept.contains(key) || key.starts_with("eval_")) fact[key] = value;
      all.push_back(fact);
    }
    return all;
  }
};

}  // namespace galore
