// Reads any text as a generation_config.json. It is refused with an Error, or the text that is written from
// it is JSON.
#include "checkpoint/generation_config.h"
#include "checkpoint/hugging_face.h"
#include "checkpoint/json_file.h"
#include "core/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galore;
  ModelConfig config;
  config.eos_token_id = 2;
  config.generation_source.assign(reinterpret_cast<const char*>(data), size);
  GenerationDefaults defaults;
  try {
    defaults = generation_defaults(config);
  } catch (const Error&) {
    return 0;
  }
  parse_json_object("written", generation_config_text(config));
  return 0;
}
