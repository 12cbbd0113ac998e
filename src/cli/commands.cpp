#include "cli/commands.h"

#include <fmt/core.h>

#include "cli/info_command.h"
#include "cli/tokenize_command.h"
#include "cli/train_tokenizer_command.h"
#include "core/errors.h"
#include "core/options.h"

namespace galore {
namespace {

struct Command {
  const char* name;
  int (*run)(const Arguments&);
  const char* help;
};

constexpr Command kCommands[] = {
    {"train", train_command,
     "pre-train or continue to train a model: galore train [config.yaml] [key=value ...]"},
    {"eval", eval_command, "report the loss and perplexity of a model on a file"},
    {"score", score_command, "write the values that a model's value head gives rows: galore score FILE"},
    {"generate", generate_command, "continue a prompt"},
    {"tokenize", tokenize_command, "convert files between text and token ids"},
    {"train-tokenizer", train_tokenizer_command, "train a SentencePiece or byte-level tokenizer on text"},
    {"export", export_command, "write a model and its tokenizer as a GGUF file for llama.cpp and Ollama"},
    {"memory", memory_command, "list the memory that a run would need, by owner, without starting it"},
    {"replay", replay_command, "apply an optimizer to recorded gradients"},
    {"merge", merge_command, "fold an adapter or factors into their model, as a plain model directory"},
    {"compress", compress_command, "factor the matrices of low rank of a model: galore compress"},
    {"bench", bench_command,
     "measure speed and memory of training on synthetic tokens without writing files"},
    {"methods", methods_command, "list the optimizers with their papers, options, defaults and state"},
    {"report", report_command, "write charts of one or more runs as one HTML page: galore report RUN..."},
    {"info", info_command, "describe a checkpoint, a token file or a safetensors file, or list the kernels"},
    {"schema", schema_command, "print the JSON schema of the configuration file, for editors"},
    {"completion", completion_command,
     "print completions for bash, zsh or fish: source <(galore completion bash)"},
    {"version", version_command, "print the versions of the program and of libtorch; also: galore --version"},
};

int help() {
  fmt::print("galore: train language models in full in a fraction of the memory\n\n");
  for (const Command& command : kCommands) fmt::print("  {:<16} {}\n", command.name, command.help);
  fmt::print("\ngalore COMMAND --help lists a command's options.\n");
  return 0;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> command_list() {
  std::vector<std::pair<std::string, std::string>> list;
  for (const Command& command : kCommands) list.emplace_back(command.name, command.help);
  return list;
}

int run_command(const Arguments& arguments) {
  if (arguments.words.empty()) return help();
  Arguments rest = arguments;
  const std::string given = rest.words[0];
  rest.words.erase(rest.words.begin());
  if (given == "help" || given == "--help" || given == "-h") return help();
  if (given == "--version" || given == "-V") return version_command({});
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (canonical_name(command.name) == canonical_name(given)) return command.run(rest);
    names.emplace_back(command.name);
  }
  fail_usage("command line", "unknown command '{}'; the nearest known one is '{}'", given,
             nearest_name(given, names));
}

}  // namespace galore
