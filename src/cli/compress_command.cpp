#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "checkpoint/safetensors.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/errors.h"
#include "core/output_path.h"
#include "train/compress.h"
#include "train/inputs.h"
#include "train/run_state.h"

namespace galore {
namespace {

struct CompressArguments {
  ModelSource model;
  CompressOptions compress;
  MachineOptions machine;
  std::string output, spectra_file, dtype = "auto";
  bool json = false;
};

void declare_compress_options(OptionTable& table, CompressArguments& o) {
  table.add("model_name_or_path", &o.model.model_name_or_path, "Hugging Face directory of the model");
  table.add("output_dir", &o.output, "folder for the compressed model");
  table.add("rank_reduction", &o.compress.rank_reduction, "share of all ranks that is cut")
      .range(0, 1)
      .alias("err");
  table
      .add("min_ratio", &o.compress.min_ratio,
           "a matrix is factored if it loses more than this share of its rank")
      .range(0, 1);
  table.add("train_norms", &o.compress.train_norms, "train the norms with the factors in fine-tuning");
  table.add("spectra_file", &o.spectra_file,
            "write the singular values of each matrix to this safetensors file");
  table.add("dtype", &o.dtype, "number format of the weights; auto: as they are stored")
      .choices({"auto", "float32", "bfloat16"});
  table.add("threads", &o.machine.threads, "number of threads; 0: one for each processor").range(0, 4096);
  table.add("json", &o.json, "print one JSON object");
}

int64_t count_elements(TrainableModel& model) {
  int64_t sum = 0;
  for (const Parameter* parameter : model.parameters()) sum += parameter->numel();
  return sum;
}

int64_t count_trained(TrainableModel& model) {
  int64_t sum = 0;
  for (const Parameter* parameter : model.parameters())
    if (parameter->trainable) sum += parameter->numel();
  return sum;
}

nlohmann::ordered_json result_of(const Compression& choice, TrainableModel& plain,
                                 TrainableModel& compressed) {
  nlohmann::ordered_json ranks = nlohmann::ordered_json::object();
  for (const ChosenRank& matrix : choice.matrices)
    ranks[matrix.name] = {
        {"rank", matrix.rank}, {"full_rank", matrix.full_rank}, {"factored", matrix.factored}};
  return {{"threshold", choice.threshold},
          {"rank_reduction", choice.rank_reduction},
          {"parameters", count_elements(plain)},
          {"compressed_parameters", count_elements(compressed)},
          {"trained_parameters", count_trained(compressed)},
          {"matrices", ranks}};
}

void print_result(const nlohmann::ordered_json& result, const std::string& output) {
  for (const auto& [name, matrix] : result.at("matrices").items())
    fmt::print("{:<48} {:>6} of {:<6} {}\n", name, matrix.at("rank").get<int64_t>(),
               matrix.at("full_rank").get<int64_t>(),
               matrix.at("factored").get<bool>() ? "factors" : "as it was");
  fmt::print("threshold {:.6g} cuts {:.4f} of all ranks\n", result.at("threshold").get<double>(),
             result.at("rank_reduction").get<double>());
  fmt::print("parameters {} instead of {}, of which {} are trained\n",
             result.at("compressed_parameters").get<int64_t>(), result.at("parameters").get<int64_t>(),
             result.at("trained_parameters").get<int64_t>());
  fmt::print("model: {}\n", output);
}

void write_spectra(const std::string& file, const std::vector<Spectrum>& spectra) {
  std::vector<TensorToWrite> tensors;
  for (const Spectrum& spectrum : spectra) tensors.emplace_back(spectrum.name, spectrum.values);
  write_safetensors(Path(file), tensors);
}

void check_source(CompressArguments& o) {
  if (o.model.model_name_or_path.empty()) fail_usage("compress", "expected --model_name_or_path DIR");
  if (o.output.empty()) fail_usage("compress", "expected --output_dir DIR");
  resolve_base_model(o.model);
  if (!o.model.adapter.empty())
    fail_usage("model_name_or_path", "expected a plain model, given one with adapter={}: merge it first",
               o.model.adapter);
  require_other_folder(o.model.model_name_or_path, o.output);
  o.model.dtype = o.dtype == "auto" ? stored_dtype(o.model.model_name_or_path) : o.dtype;
}

}  // namespace

int compress_command(const Arguments& arguments) {
  CompressArguments o;
  OptionTable table;
  declare_compress_options(table, o);
  if (!parse_arguments("compress", table, arguments)) return 0;
  check_source(o);
  set_threads(o.machine.threads);
  const ModelConfig config = model_config_of(o.model);
  const ModelOptions model_options = galore::model_options(o.model, "cpu");
  const RunObjects plain = build_model(config, model_options, at::kCPU);
  set_weights(*plain.model, o.model, o.machine.seed);
  const auto spectra =
      spectra_of(*plain.model, [](const std::string& line) { fmt::print(stderr, "{}\n", line); });
  if (!o.spectra_file.empty()) write_spectra(o.spectra_file, spectra);
  const Compression choice = choose_ranks(spectra, o.compress);
  const RunObjects small = compressed(*plain.model, choice, o.compress, model_options);
  const auto tokenizer = tokenizer_of(o.model);
  save_final_model(o.output, {*small.model, nullptr, tokenizer.get(), model_options.weights_dtype});
  const auto result = result_of(choice, *plain.model, *small.model);
  write_file_atomically(Path(o.output) / "compression.json", result.dump(2) + "\n");
  o.json ? static_cast<void>(fmt::print("{}\n", result.dump())) : print_result(result, o.output);
  return 0;
}

}  // namespace galore
