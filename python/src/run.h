// A run of the trainer as a class of torch.
#pragma once

#include <torch/custom_class.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/config_file.h"
#include "cli/train_session.h"
#include "distributed/place.h"
#include "worker.h"

namespace galore::python {

using Json = nlohmann::ordered_json;

inline std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A run of `galore train`. One thread calls run(), and another one takes what it reports and may stop it. No
// signal handler is installed.
class Run : public torch::CustomClassHolder {
 public:
  // Reads a YAML file, unless its path is empty, and then a JSON object of options.
  Run(const std::string& config_file, const std::string& keywords) {
    marking_usage_errors([&] {
      declare_options(table_, options_);
      if (!config_file.empty()) read_config_file(config_file, table_);
      read_config_object(keywords, "train", table_);
      if (options_.nproc_per_node > 1 && place_of(options_.dist_init).is_alone())
        fail_usage("nproc_per_node", "expected 1 in Python, where torchrun starts processes, given {}",
                   options_.nproc_per_node);
    });
  }

  void run() {
    const ThreadsOfCaller threads;
    RunHooks hooks;
    hooks.take_line = [this](const std::string& line) { channel_.put(text_of({{"line", line}})); };
    hooks.take_event = [this](const LogEvent& event) {
      Json json{{"event", event.name}, {"time", event.time}};
      json.update(event.fields);
      channel_.put(text_of(json));
    };
    hooks.take_progress = [this](const StepMetrics& m) {
      channel_.put_latest(text_of({{"progress", m.step}, {"total", m.total_steps}, {"loss", m.loss}}));
    };
    hooks.stop = &stop_;
    try {
      marking_usage_errors([&] { result_ = train_in_session(options_, table_, hooks).train; });
    } catch (...) {
      channel_.close();
      throw;
    }
    channel_.close();
  }

  // Asks for a checkpoint and the end of the run, after the update or the batch of an evaluation.
  void stop() { stop_ = SIGINT; }
  std::vector<std::string> take(double seconds) { return channel_.take(seconds); }
  // Call this when run() has returned.
  std::string result() const {
    Json json = result_json(result_);
    json["stopped"] = result_.signal != 0;
    json["metrics"] = Json::object();
    if (result_.evaluation)
      for (const Metric& metric : result_.evaluation->metrics) json["metrics"][metric.name] = metric.value;
    return text_of(json);
  }

 private:
  TrainOptions options_;
  OptionTable table_;
  Channel channel_;
  std::atomic<int> stop_ = 0;
  TrainResult result_;
};

}  // namespace galore::python
