#include "checkpoint/state_files.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "checkpoint/json_file.h"
#include "checkpoint/safetensors_header.h"
#include "core/errors.h"

namespace galore {
namespace {

Json number_json(double value) {
  if (!std::isfinite(value)) return nullptr;
  if (value == std::floor(value) && std::abs(value) < 0x1p53) return static_cast<int64_t>(value);
  return value;
}

LogEntry parse_log_entry(const std::string& where, const nlohmann::ordered_json& json) {
  if (!json.is_object()) fail("trainer_state", "{}: an entry of 'log_history' is no object", where);
  LogEntry entry;
  for (const auto& [name, value] : json.items()) {
    if (value.is_null()) entry.emplace_back(name, std::numeric_limits<double>::quiet_NaN());
    if (value.is_number()) entry.emplace_back(name, value.get<double>());
  }
  return entry;
}

template <typename T>
std::map<std::string, T> parse_map(const std::string& where, const Json& object) {
  if (!object.is_object()) fail("json", "{}: expected an object", where);
  std::map<std::string, T> values;
  for (const auto& [name, value] : object.items())
    if (!value.is_null()) values[name] = json_value<T>(where, object, name);
  return values;
}

}  // namespace

void StateWriter::tensor(const std::string& name, at::Tensor& tensor) {
  if (tensor.defined()) tensors_.emplace_back(name, tensor);
}

void StateWriter::scalar(const std::string& name, int64_t& value) {
  tensors_.emplace_back(name, at::full({1}, value, at::kLong));
}

void StateWriter::scalar(const std::string& name, double& value) {
  tensors_.emplace_back(name, at::full({1}, value, at::kDouble));
}

// Returns null if nothing is stored under the name. A stored tensor of another dtype is an Error.
const TensorInfo* StateReader::find(const std::string& name, at::ScalarType dtype) {
  const TensorInfo* info = file_.find(name);
  if (info == nullptr) return nullptr;
  used_.insert(name);
  if (info->dtype != dtype)
    fail("state", "{}: {}: expected {}, given {}", file_.path().string(), quoted_name(name),
         safetensors_dtype_name(dtype), safetensors_dtype_name(info->dtype));
  return info;
}

void StateReader::tensor(const std::string& name, at::Tensor& tensor) {
  if (!tensor.defined()) {
    if (file_.find(name) == nullptr) return;
    used_.insert(name);
    tensor = file_.read(name);
  } else if (find(name, tensor.scalar_type()) != nullptr) {
    file_.read_into(name, tensor);
  } else {
    missing_.push_back(name);
  }
}

void StateReader::scalar(const std::string& name, int64_t& value) {
  at::Tensor stored = at::full({1}, value, at::kLong);
  tensor(name, stored);
  value = stored.const_data_ptr<int64_t>()[0];
}

void StateReader::scalar(const std::string& name, double& value) {
  at::Tensor stored = at::full({1}, value, at::kDouble);
  tensor(name, stored);
  value = stored.const_data_ptr<double>()[0];
}

bool StateReader::owned(const std::string& prefix, int, bool is_here) {
  for (const TensorInfo& info : file_.tensors())
    if (!is_here && info.name.starts_with(prefix)) used_.insert(info.name);
  return false;
}

std::vector<std::string> StateReader::unused() const {
  std::vector<std::string> names;
  for (const TensorInfo& info : file_.tensors())
    if (!used_.count(info.name)) names.push_back(info.name);
  return names;
}

void StateReader::finish() const {
  const std::string path = file_.path().string();
  if (!missing_.empty())
    fail("state", "{}: {} expected values are not there: {}", path, missing_.size(), first_names(missing_));
  const auto left = unused();
  if (!left.empty())
    fail("state", "{}: {} values belong to nothing here (another optimizer?): {}", path, left.size(),
         first_names(left));
}

void write_trainer_state(const Path& path, const TrainerState& state) {
  nlohmann::ordered_json log = nlohmann::ordered_json::array();
  for (const LogEntry& entry : state.log_history) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (const auto& [name, value] : entry) object[name] = nlohmann::ordered_json(number_json(value));
    log.push_back(std::move(object));
  }
  nlohmann::ordered_json json;
  json["best_metric"] = state.best_metric ? number_json(*state.best_metric) : Json(nullptr);
  json["best_model_checkpoint"] =
      state.best_model_checkpoint.empty() ? Json(nullptr) : Json(state.best_model_checkpoint);
  json["epoch"] = state.epoch;
  json["global_step"] = state.global_step;
  json["is_local_process_zero"] = true;
  json["is_world_process_zero"] = true;
  json["log_history"] = std::move(log);
  json["max_steps"] = state.max_steps;
  json["stateful_callbacks"]["galore"] = {
      {"counters", state.counters}, {"numbers", state.numbers}, {"settings", state.settings}};
  write_file_atomically(path,
                        json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

TrainerState read_trainer_state(const Path& path) {
  const std::string where = path.string();
  const std::string text = read_file(path, kLargestJsonFile);
  const Json json = parse_json_object(where, text);
  TrainerState state;
  state.global_step = json_value<int64_t>(where, json, "global_step");
  state.max_steps = json_value<int64_t>(where, json, "max_steps");
  if (state.global_step < 0)
    fail("trainer_state", "{}: 'global_step' must not be negative, given {}", where, state.global_step);
  const auto given = [&](const char* key) { return json.contains(key) && !json[key].is_null(); };
  if (given("epoch")) state.epoch = json_value<double>(where, json, "epoch");
  if (given("best_metric")) state.best_metric = json_value<double>(where, json, "best_metric");
  if (given("best_model_checkpoint"))
    state.best_model_checkpoint = json_value<std::string>(where, json, "best_model_checkpoint");
  // The text is parsed again to get the order of the entries' keys. It is known to be valid now.
  const auto ordered = nlohmann::ordered_json::parse(text);
  if (given("log_history")) {
    if (!json["log_history"].is_array()) fail("trainer_state", "{}: 'log_history' is no list", where);
    for (const auto& entry : ordered["log_history"])
      state.log_history.push_back(parse_log_entry(where, entry));
  }
  const Json ours = json.value(Json::json_pointer("/stateful_callbacks/galore"), Json(nullptr));
  if (!ours.is_object()) return state;
  state.counters = parse_map<int64_t>(where, json_value<Json>(where, ours, "counters"));
  state.numbers = parse_map<double>(where, json_value<Json>(where, ours, "numbers"));
  state.settings = parse_map<std::string>(where, json_value<Json>(where, ours, "settings"));
  return state;
}

void write_rng_state(const Path& path, const std::map<std::string, uint64_t>& values) {
  write_file_atomically(path, json_text(Json(values)));
}

}  // namespace galore
