#include "report/run_history.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <optional>

#include "core/errors.h"
#include "report/log_sink.h"

namespace galore {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kMostPoints = 3000, kMostRefreshes = 400;
constexpr uint64_t kLargestState = uint64_t{1} << 30;

struct Refreshes {
  std::vector<double> steps, ranks;
  std::vector<Json> energy;  // null when it was not logged
};

class History {
 public:
  // Keeps the series that `charts` draw.
  History(const Path& path, const std::vector<ChartSpec>& charts) {
    for (const ChartSpec& chart : charts)
      series_.insert(series_.end(), chart.series.begin(), chart.series.end());
    run_ = {{"name", path.filename().string()}, {"path", path.string()}, {"configuration", Json::object()}};
    run_["memory"] = run_["summary"] = Json::object();
  }

  void add(const std::string& name, const Json& fields) {
    if (name == "configuration") configure(fields);
    if (name == "memory") run_["memory"] = fields;
    if (name == "subspace") add_refreshes(fields);
    if (name == "mixture") add_weights(fields);
    if (name == "end") run_["summary"]["peak_memory_bytes"] = fields.value("peak_memory_bytes", Json());
    const double step = number_of(fields, "step", -1);
    if (step < 0 || (name != "step" && name != "eval")) return;
    for (const std::string& series : series_)
      if (fields.contains(series)) {
        curves_[series].x.push_back(step);
        curves_[series].y.push_back(fields[series].is_number() ? fields[series] : Json());
      }
    if (name == "step") measure(step, fields);
    if (name == "eval") judge(step, fields);
  }

  // Adds to the run's time. `time` is in seconds since 1970; the time between sessions of a run does not
  // count.
  void tell_time(const std::string& name, double time) {
    if (name != "configuration" && last_time_ && time > *last_time_) elapsed_ += time - *last_time_;
    last_time_ = time;
  }

  Json finish() {
    finish_axes();
    for (const auto& [name, curve] : curves_) {
      const Curve few = thinned(curve, kMostPoints);
      run_["series"][name] = {{"x", few.x}, {"y", few.y}};
    }
    for (const auto& [name, all] : refreshes_) run_["subspace"][name] = few_of(all);
    return run_;
  }

 private:
  void configure(const Json& fields) {
    for (const auto& [name, value] : fields.items())
      if (name != "event" && name != "time")
        run_["configuration"][name] = value.is_string() ? value.get<std::string>() : value.dump();
    const std::string name = run_["configuration"].value("run_name", "");
    if (!name.empty()) run_["name"] = name;
  }

  void measure(double step, const Json& fields) {
    const double tokens = number_of(fields, "tokens_seen", std::nan(""));
    axis_steps_.push_back(step);
    axis_tokens_.push_back(tokens);
    axis_seconds_.push_back(elapsed_);
    Json& summary = run_["summary"];
    summary["steps"] = static_cast<int64_t>(step);
    if (std::isfinite(tokens)) summary["tokens"] = tokens;
    if (elapsed_ > 0) summary["seconds"] = elapsed_;
    for (const auto& [field, name] :
         {std::pair{"loss", "last_loss"}, std::pair{"peak_memory_bytes", "peak_memory_bytes"}})
      if (fields.contains(field) && fields[field].is_number()) summary[name] = fields[field];
    speed_.push_back(number_of(fields, "tokens_per_second", std::nan("")));
  }

  void judge(double step, const Json& fields) {
    const double loss = number_of(fields, "eval_loss", std::nan(""));
    Json& summary = run_["summary"];
    if (!(loss < number_of(summary, "best_eval_loss", std::numeric_limits<double>::infinity()))) return;
    summary["best_eval_loss"] = loss;
    summary["best_eval_step"] = static_cast<int64_t>(step);
  }

  void add_refreshes(const Json& fields) {
    if (!fields.contains("ranks") || !fields["ranks"].is_object()) return;
    const double step = number_of(fields, "step", 0);
    const Json energies = fields.value("captured_energy", Json::object());
    for (const auto& [name, rank] : fields["ranks"].items()) {
      const double energy = number_of(energies, name.c_str(), std::nan(""));
      Refreshes& own = refreshes_[name];
      own.steps.push_back(step);
      own.ranks.push_back(rank.is_number() ? rank.get<double>() : 0);
      own.energy.push_back(std::isfinite(energy) ? Json(energy) : Json());
      if (std::isfinite(energy)) last_energy_[name] = energy;
    }
    if (!energies.empty() && !last_energy_.empty()) add_mean_energy(step);
  }

  void add_weights(const Json& fields) {
    const Json weights = fields.value("weights", Json::object());
    for (const auto& [source, weight] : weights.items()) {
      Curve& curve = curves_[weight_series(source)];
      curve.x.push_back(number_of(fields, "step", 0));
      curve.y.push_back(weight.is_number() ? weight : Json());
    }
  }

  // Averages over all matrices: refreshes are spread over the updates, so the matrices of one event do not
  // represent the others.
  void add_mean_energy(double step) {
    double sum = 0;
    for (const auto& [name, energy] : last_energy_) sum += energy;
    curves_["captured_energy"].x.push_back(step);
    curves_["captured_energy"].y.push_back(sum / static_cast<double>(last_energy_.size()));
  }

  void finish_axes() {
    const size_t stride = axis_steps_.size() / kMostPoints + 1;
    Json& axes =
        run_["axes"] = {{"step", Json::array()}, {"tokens", Json::array()}, {"seconds", Json::array()}};
    const bool has_tokens =
        std::none_of(axis_tokens_.begin(), axis_tokens_.end(), [](double v) { return std::isnan(v); });
    for (size_t i = 0; i < axis_steps_.size(); ++i) {
      if (i % stride != 0 && i + 1 != axis_steps_.size()) continue;
      axes["step"].push_back(axis_steps_[i]);
      if (has_tokens) axes["tokens"].push_back(axis_tokens_[i]);
      if (elapsed_ > 0) axes["seconds"].push_back(axis_seconds_[i]);
    }
    std::erase_if(speed_, [](double v) { return std::isnan(v); });
    if (speed_.empty()) return;
    std::nth_element(speed_.begin(), speed_.begin() + std::ssize(speed_) / 2, speed_.end());
    run_["summary"]["tokens_per_second"] = speed_[speed_.size() / 2];
  }

  static Json few_of(const Refreshes& all) {
    const size_t stride = all.steps.size() / kMostRefreshes + 1;
    Json few{{"steps", Json::array()}, {"ranks", Json::array()}, {"energy", Json::array()}};
    for (size_t i = 0; i < all.steps.size(); i += stride) {
      few["steps"].push_back(all.steps[i]);
      few["ranks"].push_back(all.ranks[i]);
      few["energy"].push_back(all.energy[i]);
    }
    return few;
  }

  Json run_;
  std::vector<std::string> series_;
  std::map<std::string, Curve> curves_;
  std::map<std::string, Refreshes> refreshes_;
  std::map<std::string, double> last_energy_;  // the last value of each matrix
  std::vector<double> axis_steps_, axis_tokens_, axis_seconds_, speed_;
  std::optional<double> last_time_;
  double elapsed_ = 0;
};

void read_metrics(const Path& path, History& history) {
  std::ifstream file(path);
  if (!file) fail("report", "cannot read {}", path.string());
  std::string line;
  for (int64_t number = 1; std::getline(file, line) && !file.eof(); ++number) {
    const Json event = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!event.is_object() || !event.contains("event") || !event["event"].is_string())
      fail("report", "{}:{}: expected an event as JSON object", path.string(), number);
    const auto name = event["event"].get<std::string>();
    if (event.contains("time")) history.tell_time(name, number_of(event, "time", 0));
    history.add(name, event);
  }
}

// Reads Hugging Face's trainer_state.json. Its log_history holds the steps and evaluations of a run as plain
// entries.
void read_state(const Path& path, History& history) {
  const Json state = Json::parse(read_file(path, kLargestState), nullptr, /*allow_exceptions=*/false);
  if (!state.is_object() || !state.contains("log_history") || !state["log_history"].is_array())
    fail("report", "{}: expected a JSON object with log_history", path.string());
  const Json::json_pointer settings("/stateful_callbacks/galore/settings");
  if (state.contains(settings) && state[settings].is_object()) history.add("configuration", state[settings]);
  for (const Json& entry : state["log_history"]) {
    if (!entry.is_object()) fail("report", "{}: log_history: expected objects", path.string());
    Json fields = entry;
    if (entry.contains("num_input_tokens_seen")) fields["tokens_seen"] = entry["num_input_tokens_seen"];
    history.add(entry.contains("eval_loss") ? "eval" : "step", fields);
  }
}

int64_t checkpoint_step(const Path& path) {
  const std::string name = path.filename().string(), begin = "checkpoint-";
  return name.starts_with(begin) ? std::atoll(name.c_str() + begin.size()) : -1;
}

// Returns the file that tells most about a run, or nothing when the folder holds no run.
std::optional<Path> history_file(const Path& path) {
  if (!std::filesystem::is_directory(path)) return path;
  for (const char* name : {"metrics.jsonl", "trainer_state.json"})
    if (std::filesystem::exists(path / name)) return path / name;
  Path last;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (std::filesystem::exists(entry.path() / "trainer_state.json") &&
        (last.empty() || checkpoint_step(entry.path()) > checkpoint_step(last)))
      last = entry.path();
  return last.empty() ? std::nullopt : std::optional(last / "trainer_state.json");
}

}  // namespace

Curve thinned(const Curve& curve, size_t most) {
  const size_t count = curve.x.size(), stretch = 2 * count / most + 1;
  if (count <= most) return curve;
  Curve few;
  const auto value = [&](size_t i) { return curve.y[i].is_null() ? 0.0 : curve.y[i].get<double>(); };
  for (size_t begin = 0; begin < count; begin += stretch) {
    size_t low = begin, high = begin;
    for (size_t i = begin; i < std::min(begin + stretch, count); ++i) {
      if (value(i) < value(low)) low = i;
      if (value(i) > value(high)) high = i;
    }
    for (const size_t i : {std::min(low, high), std::max(low, high)}) {
      if (!few.x.empty() && few.x.back() == curve.x[i]) continue;
      few.x.push_back(curve.x[i]);
      few.y.push_back(curve.y[i]);
    }
  }
  if (few.x.back() != curve.x.back()) {
    few.x.push_back(curve.x.back());
    few.y.push_back(curve.y[count - 1]);
  }
  return few;
}

std::vector<std::string> mixture_sources(const std::vector<std::string>& runs) {
  std::vector<std::string> sources;
  for (const std::string& run : runs) {
    const auto path = std::filesystem::exists(run) ? history_file(run) : std::nullopt;
    std::ifstream file(path.value_or(""));
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with(R"({"event":"mixture")")) continue;
      const Json event = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!event.is_object()) continue;
      const Json weights = event.value("weights", Json::object());
      for (const auto& [source, weight] : weights.items())
        if (std::find(sources.begin(), sources.end(), source) == sources.end()) sources.push_back(source);
      break;
    }
  }
  return sources;
}

Json read_run(const Path& path, const std::vector<ChartSpec>& charts) {
  if (!std::filesystem::exists(path)) fail("report", "{} does not exist", path.string());
  const Path shown = path.has_filename() ? path : path.parent_path();
  const auto file = history_file(path);
  if (!file)
    fail("report", "{}: expected a metrics.jsonl or a trainer_state.json in it or its checkpoints",
         path.string());
  History history(std::filesystem::is_directory(path) ? shown : std::filesystem::absolute(path).parent_path(),
                  charts);
  file->extension() == ".jsonl" ? read_metrics(*file, history) : read_state(*file, history);
  const Json run = history.finish();
  if (!run.contains("series")) fail("report", "{}: no update has been logged yet", file->string());
  return run;
}

}  // namespace galore
