#include "train/compress.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <map>

#include "adapters/adapted_layers.h"
#include "adapters/adapter_kind.h"
#include "checkpoint/weight_files.h"
#include "core/dtypes.h"
#include "core/errors.h"
#include "core/output_path.h"
#include "train/inputs.h"
#include "train/run_state.h"

namespace galore {
namespace {

// The values of a spectrum, moved to 0..1 and ascending.
std::vector<double> normalized(const at::Tensor& values) {
  const at::Tensor numbers = values.to(at::kDouble).flip(0).contiguous();
  const double least = numbers[0].item<double>(), most = numbers[-1].item<double>();
  const double* const first = numbers.const_data_ptr<double>();
  std::vector<double> z(first, first + numbers.numel());
  for (double& value : z) value = most > least ? (value - least) / (most - least) : 1;
  return z;
}

class Chooser {
 public:
  Chooser(const std::vector<Spectrum>& spectra, double min_ratio) : spectra_(spectra), min_ratio_(min_ratio) {
    for (const Spectrum& spectrum : spectra) {
      values_.push_back(normalized(spectrum.values));
      all_ += spectrum.values.numel();
    }
  }

  Compression choice(double threshold) const {
    Compression choice;
    choice.threshold = threshold;
    int64_t sum = 0;
    for (size_t i = 0; i < spectra_.size(); ++i) {
      const auto full = static_cast<int64_t>(values_[i].size());
      const int64_t cut =
          std::lower_bound(values_[i].begin(), values_[i].end(), threshold) - values_[i].begin();
      const bool factored = static_cast<double>(cut) > min_ratio_ * static_cast<double>(full);
      choice.matrices.push_back({spectra_[i].name, factored ? full - cut : full, full, factored});
      if (factored) sum += cut;
    }
    choice.rank_reduction = static_cast<double>(sum) / static_cast<double>(all_);
    return choice;
  }

 private:
  const std::vector<Spectrum>& spectra_;
  double min_ratio_;
  std::vector<std::vector<double>> values_;
  int64_t all_ = 0;
};

// Lists the places of matrices, and whether they are stored as inputs x outputs.
struct MatrixPlaces {
  std::vector<std::string> names;
  bool inputs_first = false;
};

MatrixPlaces matrix_places(const ModelConfig& config) {
  ModelOptions options;
  options.adapter = adapter_kind("low_rank").make({{"r", 1}});
  const RunObjects shape = build_model(config, options, at::kMeta);
  return {shape.model->adapted()->places(), shape.model->adapted()->inputs_first()};
}

std::map<std::string, Parameter*> by_name(TrainableModel& model) {
  std::map<std::string, Parameter*> parameters;
  for (Parameter* parameter : model.parameters()) parameters[parameter->name] = parameter;
  return parameters;
}

void fill_factors(const at::Tensor& weight, int64_t rank, Parameter& a, Parameter& b) {
  const auto [u, s, vh] = at::linalg_svd(weight, /*full_matrices=*/false);
  const at::Tensor roots = s.slice(0, 0, rank).sqrt();
  b.value.copy_(u.slice(1, 0, rank).mul(roots));
  a.value.copy_(vh.slice(0, 0, rank).mul(roots.unsqueeze(1)));
}

}  // namespace

Compression choose_ranks(const std::vector<Spectrum>& spectra, const CompressOptions& options) {
  const Chooser chooser(spectra, options.min_ratio);
  Compression best = chooser.choice(1);
  if (best.rank_reduction < options.rank_reduction)
    fail_usage("rank_reduction", "expected at most {:.4f} for this model, given {}", best.rank_reduction,
               options.rank_reduction);
  double below = 0;
  for (int i = 0; i < 60; ++i) {
    Compression middle = chooser.choice((below + best.threshold) / 2);
    if (middle.rank_reduction >= options.rank_reduction)
      best = std::move(middle);
    else
      below = middle.threshold;
  }
  return best;
}

std::vector<Spectrum> spectra_of(TrainableModel& model, const std::function<void(const std::string&)>& say) {
  const MatrixPlaces places = matrix_places(model.config());
  const auto parameters = by_name(model);
  std::vector<Spectrum> spectra;
  for (const std::string& place : places.names) {
    const at::Tensor weight = parameters.at(place + ".weight")->value.to(at::kFloat);
    spectra.push_back({place, at::linalg_svdvals(weight)});
    say(fmt::format("{}/{} spectrum of {}", spectra.size(), places.names.size(), place));
  }
  return spectra;
}

RunObjects compressed(TrainableModel& plain, const Compression& choice, const CompressOptions& options,
                      const ModelOptions& model_options) {
  Adapter::Json ranks = Adapter::Json::object();
  for (const ChosenRank& matrix : choice.matrices)
    if (matrix.factored) ranks[matrix.name] = matrix.rank;
  if (ranks.empty()) fail_usage("rank_reduction", "expected more: no matrix is factored");
  ModelOptions with_factors = model_options;
  with_factors.adapter =
      adapter_kind("welore").make({{"ranks", ranks}, {"train_norms", options.train_norms}});
  RunObjects run = build_model(plain.config(), with_factors, at::kCPU);
  const bool inputs_first = run.model->adapted()->inputs_first();
  const auto from = by_name(plain), to = by_name(*run.model);
  for (const auto& [name, parameter] : to)
    if (from.contains(name)) parameter->value = from.at(name)->value;
  for (const auto& [place, rank] : ranks.items()) {
    const at::Tensor weight = from.at(place + ".weight")->value.to(at::kFloat);
    fill_factors(inputs_first ? weight.t() : weight, rank.get<int64_t>(), *to.at(place + ".factor_A.weight"),
                 *to.at(place + ".factor_B.weight"));
  }
  return run;
}

void merge_layers(const ModelSource& source, const Path& output, TrainableModel& model) {
  require_other_folder(source.model_name_or_path, output);
  ModelOptions plain_options;
  plain_options.weights_dtype = dtype_from_name(source.dtype);
  const RunObjects plain = build_model(model.config(), plain_options, at::kCPU);
  const auto from = by_name(model), to = by_name(*plain.model);
  std::map<std::string, std::function<at::Tensor()>> merged;
  for (const AdaptedLayer* layer : model.adapted()->layers())
    merged[layer->name() + ".weight"] = [layer] { return layer->merged_weight(); };
  for (AdaptedTable* table : model.adapted()->tables())
    merged[table->name() + ".weight"] = [table] { return table->merged_weight(); };
  for (const auto& [name, parameter] : to) {
    const auto found = merged.find(name);
    if (found == merged.end())
      parameter->value = from.at(name)->value;
    else
      parameter->value.copy_(found->second());
  }
  const auto tokenizer = tokenizer_of(source);
  save_final_model(output, {*plain.model, nullptr, tokenizer.get(), plain_options.weights_dtype});
}

std::string stored_dtype(const Path& directory) {
  const WeightFiles files(directory);
  const auto is_narrow = [](const StoredTensor& tensor) {
    return tensor.info->dtype == at::kBFloat16 || tensor.info->dtype == at::kHalf;
  };
  return std::any_of(files.tensors().begin(), files.tensors().end(), is_narrow) ? "bfloat16" : "float32";
}

}  // namespace galore
