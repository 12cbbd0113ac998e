// Registers the trainer, tokenizers and models as classes below torch.classes.galore_trainer. These files
// convert values between Python and the library, and do nothing else.
#include <torch/library.h>

#include "checkpoint/safetensors.h"
#include "model.h"
#include "run.h"
#include "tokenizer.h"
#include "train/replay.h"

namespace galore::python {
namespace {

using Tensors = c10::Dict<std::string, at::Tensor>;

// Returns the weights after each step by name, and the notices.
std::tuple<Tensors, Strings> replay_trace(const std::string& trace, const std::string& keywords) {
  const ThreadsOfCaller threads;
  return marking_usage_errors([&] {
    ReplayOptions options;
    OptionTable table;
    declare_options(table, options);
    read_config_object(keywords, "replay", table);
    const ReplayResult result = replay(SafetensorsReader(trace), options, given_adam_settings(table));
    Tensors weights;
    for (const TensorToWrite& weight : result.weights)
      weights.insert(weight.name, weight.value.to(weight.dtype));
    return std::tuple(weights, result.notices);
  });
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(galore_trainer, library) {
  library.def("replay", replay_trace);
  library.class_<Run>("Run")
      .def(torch::init<const std::string&, const std::string&>())
      .def("run", &Run::run)
      .def("stop", &Run::stop)
      .def("take", &Run::take)
      .def("result", &Run::result);
  library.class_<TokenizerHandle>("Tokenizer")
      .def(torch::init<const std::string&>())
      .def("encode", &TokenizerHandle::encode)
      .def("decode", &TokenizerHandle::decode)
      .def("vocab_size", &TokenizerHandle::vocab_size)
      .def("special_ids", &TokenizerHandle::special_ids)
      .def("named_ids", &TokenizerHandle::named_ids)
      .def("chat_text", &TokenizerHandle::chat_text);
  library.class_<Generation>("Generation")
      .def("run", &Generation::run)
      .def("stop", &Generation::stop)
      .def("take", &Generation::take)
      .def("text", &Generation::text)
      .def("ids", &Generation::ids);
  library.class_<ChatHandle>("Chat").def("answer", &ChatHandle::answer).def("reset", &ChatHandle::reset);
  library.class_<ModelHandle>("Model")
      .def(torch::init<const std::string&>())
      .def("notes", &ModelHandle::notes)
      .def("config", &ModelHandle::config)
      .def("has_tokenizer", &ModelHandle::has_tokenizer)
      .def("tokenizer", &ModelHandle::tokenizer)
      .def("logits", &ModelHandle::logits)
      .def("loss", &ModelHandle::loss)
      .def("continue_text", &ModelHandle::continue_text)
      .def("continue_ids", &ModelHandle::continue_ids)
      .def("chat", &ModelHandle::chat);
}

}  // namespace galore::python
