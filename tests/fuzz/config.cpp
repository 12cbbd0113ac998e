// Reads any text as a config.json. It is refused with an Error, or the configuration that is written from it
// reads as the same.
#include "checkpoint/hugging_face.h"
#include "core/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galore;
  ModelConfig config;
  try {
    config = parse_model_config("config.json", {reinterpret_cast<const char*>(data), size});
  } catch (const Error&) {
    return 0;
  }
  const std::string text = model_config_text(config, at::kFloat);
  if (model_config_text(parse_model_config("config.json", text), at::kFloat) != text) std::abort();
  return 0;
}
