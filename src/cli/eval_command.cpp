#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "checkpoint/hugging_face.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/errors.h"
#include "kernels/device.h"
#include "train/evaluation.h"
#include "train/inputs.h"

namespace galore {
namespace {

struct EvalOptions {
  TrainOptions run;
  int64_t max_batches = 0;
  bool json = false;
};

void declare_eval_options(OptionTable& table, EvalOptions& o) {
  table.add("model_name_or_path", &o.run.model_name_or_path, "Hugging Face directory or checkpoint");
  table.add("tokenizer_name", &o.run.tokenizer_name, "default: the model's");
  table.add("eval_file", &o.run.eval_file,
            ".txt, .jsonl, .parquet (if built in) or .bin, one or many, globs");
  table
      .add("max_length", &o.run.max_length,
           "tokens in a row; unset: 256, or the model's positions if it has fewer")
      .range(2, 1e9)
      .alias("cutoff_len");
  declare_packing(table, o.run);
  table.add("document_mode", &o.run.document_mode, "what a document is in a .txt file")
      .choices({"paragraph", "line", "file"});
  table.add("per_device_eval_batch_size", &o.run.per_device_eval_batch_size, "rows in a batch")
      .range(1, 1e9)
      .alias("batch_size");
  table.add("max_batches", &o.max_batches, "at most this many; 0: all").range(0, 1e15);
  table.add("dtype", &o.run.dtype, "of the weights in memory").choices({"float32", "bfloat16"});
  table.add("cache_dir", &o.run.cache_dir, "tokens are kept here; default: ~/.cache/galore");
  table.add("device", &o.run.device, "auto, cpu, cuda or cuda:N");
  table.add("threads", &o.run.threads, "0: all processors").range(0, 4096);
  table.add("json", &o.json, "print one JSON object");
}

}  // namespace

int eval_command(const std::vector<std::string>& arguments) {
  EvalOptions options;
  OptionTable table;
  declare_eval_options(table, options);
  if (!parse_arguments("eval", table, arguments)) return 0;
  if (options.run.model_name_or_path.empty()) fail_usage("eval", "expected --model_name_or_path DIR");
  if (options.run.eval_file.empty()) fail_usage("eval", "expected --eval_file FILE");
  set_threads(options.run.threads);
  Ledger ledger(device_of(options.run.device));
  const ModelConfig config = model_config_of(options.run);
  std::vector<std::string> notes;
  fit_max_length(options.run, config, table.was_set("max_length"), notes);
  const auto say = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  for (const std::string& note : notes) say("note: " + note);
  const auto tokenizer = tokenizer_of(options.run);
  const auto data = open_eval_data(options.run, tokenizer.get(), config, say);
  const auto model = make_causal_lm(config, model_options(options.run), ledger);
  load_weights(options.run.model_name_or_path, model->parameters());
  const Evaluation result = evaluate(*model, *data, options.max_batches);
  if (options.json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"eval_loss", result.loss},
                                              {"perplexity", result.perplexity},
                                              {"eval_loss_family", result.loss_family},
                                              {"num_tokens", result.num_tokens},
                                              {"num_batches", result.num_batches},
                                              {"seconds", result.seconds}}
                           .dump());
  } else {
    fmt::print(
        "eval_loss {:.4f}\nperplexity {:.2f}\neval_loss_family {:.4f} (divided by one batch too many, as the "
        "GaLore family's papers do)\ntokens {}\n",
        result.loss, result.perplexity, result.loss_family, result.num_tokens);
  }
  return 0;
}

}  // namespace galore
