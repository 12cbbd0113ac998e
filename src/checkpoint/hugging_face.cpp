#include "checkpoint/hugging_face.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include "checkpoint/json_file.h"
#include "checkpoint/safetensors_header.h"
#include "checkpoint/weight_files.h"
#include "checkpoint/weight_names.h"
#include "core/errors.h"
#include "kernels/group_quantize.h"
#include "models/architecture.h"

namespace galore {
namespace {

// Returns the table of token embeddings, or null. A model lists this table before its table of positions.
Parameter* embedding_of(const ParameterList& parameters) {
  const auto found = std::find_if(parameters.begin(), parameters.end(),
                                  [](const Parameter* p) { return p->role == Role::embedding; });
  return found == parameters.end() ? nullptr : *found;
}

// Returns the prefix of all names, "model." or "transformer.". Files of a model that was saved without its
// head lack the prefix.
std::string trunk_prefix(const Parameter* embedding) {
  return embedding ? embedding->name.substr(0, embedding->name.find('.') + 1) : "";
}

struct Match {
  Parameter* parameter;
  StoredTensor stored;
};

class Matcher {
 public:
  Matcher(const Path& directory, const ParameterList& parameters, TableRows rows)
      : directory_(directory.string()),
        rows_(rows),
        embedding_(embedding_of(parameters)),
        prefix_(trunk_prefix(embedding_)) {
    for (Parameter* parameter : parameters) by_name_.emplace(parameter->name, parameter);
  }

  // Returns pairs of tensor and parameter in the files' order. Throws unless each of them has a partner.
  std::vector<Match> match(const WeightFiles& files) {
    multimodal_ = is_multimodal(files);
    for (const StoredTensor& stored : files.tensors()) add(stored);
    if (spare_head_) place_spare_head(files);
    std::vector<std::string> missing;
    for (const auto& [name, parameter] : by_name_)
      if (!found_.count(name)) (parameter->of_new_head ? drawn_ : missing).push_back(name);
    if (!missing.empty() && !unexpected_.empty())
      fail("weights",
           "{}: no tensor for {} of {} parameters: {}; but {} tensors that the model does not have: {}",
           directory_, missing.size(), by_name_.size(), first_names(missing), unexpected_.size(),
           first_names(unexpected_));
    if (!missing.empty())
      fail("weights", "{}: no tensor for {} of {} parameters: {}", directory_, missing.size(),
           by_name_.size(), first_names(missing));
    if (!unexpected_.empty())
      fail("weights", "{}: {} tensors that the model does not have: {}", directory_, unexpected_.size(),
           first_names(unexpected_));
    return matches_;
  }

  // Returns the names of a head's parameters for which match() found no tensor.
  const std::vector<std::string>& drawn() const { return drawn_; }

 private:
  void add(const StoredTensor& stored) {
    const std::string given = multimodal_ ? name_in_text_model(stored.info->name) : stored.info->name;
    const std::string name = name_in_new_files(given);
    Parameter* parameter = find(name);
    if (parameter == nullptr && is_head_name(name) && embedding_ != nullptr) {
      spare_head_ = stored;
    } else if (parameter != nullptr) {
      match(stored, *parameter);
    } else if (!is_no_weight(name) && !is_of_other_head(name) && !(multimodal_ && is_of_other_part(name))) {
      unexpected_.push_back(name);
    }
  }

  void match(const StoredTensor& stored, Parameter& parameter) {
    const std::string& name = stored.info->name;
    check(stored, parameter);
    if (!found_.emplace(parameter.name, name).second)
      fail("weights", "{}: both {} and {} are given", directory_, quoted_name(found_.at(parameter.name)),
           quoted_name(name));
    matches_.push_back({&parameter, stored});
  }

  // A tied model may be stored with a copy of its table as head, or with the head alone.
  void place_spare_head(const WeightFiles& files) {
    const auto is_own = [](const auto& known) { return known.second->of_new_head; };
    if (embedding_->uses == 1 && std::any_of(by_name_.begin(), by_name_.end(), is_own))
      return;  // the model has another head
    check(*spare_head_, *embedding_);
    if (!found_.count(embedding_->name)) return match(*spare_head_, *embedding_);
    if (head_differs(files))
      fail("weights", "{}: {} and {} differ, but the model has one matrix for both (tie_word_embeddings)",
           directory_, quoted_name(spare_head_->info->name), quoted_name(found_.at(embedding_->name)));
  }

  Parameter* find(const std::string& name) const {
    for (const std::string& candidate : {name, prefix_ + name}) {
      const auto found = by_name_.find(candidate);
      if (found != by_name_.end()) return found->second;
    }
    const auto is_head = [&](const auto& known) { return is_head_name(known.first); };
    const auto head = std::find_if(by_name_.begin(), by_name_.end(), is_head);
    return is_head_name(name) && head != by_name_.end() ? head->second : nullptr;
  }

  void check(const StoredTensor& stored, const Parameter& parameter) const {
    const std::string file = stored.file->path().string();
    if (parameter.sizes() != at::IntArrayRef(stored.info->shape) && !may_grow(stored, parameter))
      fail("weights", "{}: tensor {}: expected shape [{}], given [{}]", file, quoted_name(stored.info->name),
           fmt::join(parameter.sizes(), ", "), fmt::join(stored.info->shape, ", "));
    if (!at::isFloatingType(stored.info->dtype))
      fail("weights", "{}: tensor {}: expected F64, F32, BF16 or F16, given {}", file,
           quoted_name(stored.info->name), safetensors_dtype_name(stored.info->dtype));
  }

  bool may_grow(const StoredTensor& stored, const Parameter& parameter) const {
    const std::vector<int64_t>& shape = stored.info->shape;
    const bool is_table = &parameter == embedding_ || is_head_name(parameter.name);
    return rows_ == TableRows::add && is_table && shape.size() == 2 && shape[1] == parameter.sizes()[1] &&
           shape[0] > 0 && shape[0] < parameter.sizes()[0] && !parameter.codes;
  }

  std::string directory_;
  TableRows rows_;
  Parameter* embedding_;  // or null
  std::string prefix_;
  bool multimodal_ = false;
  std::optional<StoredTensor> spare_head_;  // a head for which the model has no parameter
  std::map<std::string, Parameter*> by_name_;
  std::map<std::string, std::string> found_;  // parameter -> its name in the file
  std::vector<std::string> unexpected_, drawn_;
  std::vector<Match> matches_;
};

void read_into_codes(const StoredTensor& stored, const GroupQuantized& codes) {
  constexpr int64_t kPiece = 1 << 20;
  const int64_t size = codes.format.group_size, total = codes.numel();
  const int64_t piece = std::max<int64_t>(1, kPiece / size) * size;
  const at::Tensor values = at::empty({std::min(piece, total)}, codes.scales.options());
  kernels::GroupEncoder encoder(codes);
  for (int64_t first = 0; first < total; first += piece) {
    at::Tensor part = values.narrow(0, 0, std::min(piece, total - first));
    stored.file->read_part(*stored.info, first, part);
    encoder.add(part, first);
  }
  encoder.finish();
}

// Fills the rows of a table behind the first `stored` ones with the mean of those.
void fill_new_rows(at::Tensor& table, int64_t stored) {
  constexpr int64_t kPiece = 1024;
  at::Tensor sum = at::zeros({table.size(1)}, table.options().dtype(at::kDouble));
  for (int64_t first = 0; first < stored; first += kPiece)
    sum += table.narrow(0, first, std::min(kPiece, stored - first)).to(at::kDouble).sum(0);
  table.narrow(0, stored, table.size(0) - stored).copy_((sum / stored).unsqueeze(0));
}

void read_tensor(const Match& match) {
  at::Tensor& value = match.parameter->value;
  const std::string& name = match.stored.info->name;
  const int64_t rows = match.stored.info->shape.empty() ? 0 : match.stored.info->shape[0];
  if (value.dim() != 2 || rows == value.size(0)) return match.stored.file->read_into(name, value);
  at::Tensor stored = value.narrow(0, 0, rows);
  match.stored.file->read_into(name, stored);
  fill_new_rows(value, rows);
}

// Splits greedily and in order: the next tensor that does not fit begins a new shard.
std::vector<std::vector<TensorToWrite>> split_into_shards(const ParameterList& parameters,
                                                          at::ScalarType dtype, uint64_t shard_bytes) {
  std::vector<std::vector<TensorToWrite>> shards(1);
  uint64_t bytes = 0;
  for (const Parameter* parameter : parameters) {
    // The factors of adapters have a dtype of their own, and a run resumes with all their bits.
    const bool is_own = parameter->role == Role::adapter;
    TensorToWrite tensor(*parameter, is_own ? parameter->value.scalar_type() : dtype);
    if (bytes + tensor.bytes() > shard_bytes && !shards.back().empty()) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += tensor.bytes();
    shards.back().push_back(std::move(tensor));
  }
  return shards;
}

std::string shard_name(size_t index, size_t count) {
  return count == 1 ? kWeightsName : fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

std::string index_text(const std::vector<std::vector<TensorToWrite>>& shards) {
  Json map = Json::object();
  uint64_t bytes = 0, elements = 0;
  for (size_t i = 0; i < shards.size(); ++i)
    for (const TensorToWrite& tensor : shards[i]) {
      map[tensor.name] = shard_name(i, shards.size());
      bytes += tensor.bytes();
      elements += static_cast<uint64_t>(tensor.value.numel());
    }
  return json_text(
      {{"metadata", {{"total_size", bytes}, {"total_parameters", elements}}}, {"weight_map", map}});
}

void make_folder(const Path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!std::filesystem::is_directory(directory))
    fail("save", "cannot create the folder {}: {}", directory.string(), error.message());
}

// Writes the shards to disk under temporary names, without committing them.
std::vector<std::unique_ptr<AtomicFile>> write_shards(const Path& directory,
                                                      const std::vector<std::vector<TensorToWrite>>& shards) {
  std::vector<std::unique_ptr<AtomicFile>> files;
  for (size_t i = 0; i < shards.size(); ++i) {
    files.push_back(std::make_unique<AtomicFile>(directory / shard_name(i, shards.size())));
    write_safetensors(*files.back(), shards[i]);
  }
  return files;
}

}  // namespace

std::string load_weights(const Path& directory, const ParameterList& parameters, TableRows rows) {
  const WeightFiles files(directory);
  Matcher matcher(directory, parameters, rows);
  for (const Match& match : matcher.match(files))
    if (match.parameter->codes)
      read_into_codes(match.stored, *match.parameter->codes);
    else
      read_tensor(match);
  std::string note;
  if (!files.wrapper_prefix().empty())
    note = fmt::format("the names of all tensors in {} begin with '{}', which was taken off",
                       directory.string(), files.wrapper_prefix());
  if (!matcher.drawn().empty())
    note += fmt::format("{}{} has no weights for a part of the head, which is new: {}",
                        note.empty() ? "" : "; ", directory.string(), fmt::join(matcher.drawn(), ", "));
  return note;
}

void save_model(const Path& directory, const ModelConfig& config, const ParameterList& parameters,
                at::ScalarType dtype, uint64_t shard_bytes) {
  const std::string config_text = model_config_text(config, dtype);
  make_folder(directory);
  const auto shards = split_into_shards(parameters, dtype, shard_bytes);
  auto files = write_shards(directory, shards);
  // Until the last line the folder would mix two models. It has no config.json during this time, which shows
  // that it is incomplete.
  std::filesystem::remove(directory / "config.json");
  std::vector<std::string> written;
  for (size_t i = 0; i < files.size(); ++i) {
    files[i]->commit();
    written.push_back(shard_name(i, files.size()));
  }
  if (files.size() > 1) {
    write_file_atomically(directory / kIndexName, index_text(shards));
    written.emplace_back(kIndexName);
  }
  remove_other_weights(directory, written);
  if (!is_encoder(config))
    write_file_atomically(directory / "generation_config.json", generation_config_text(config));
  write_file_atomically(directory / "config.json", config_text);
}

}  // namespace galore
