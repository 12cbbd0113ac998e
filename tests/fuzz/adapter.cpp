// Reads any bytes as PEFT's adapter_config.json. It is refused with an Error, or answers questions about any
// module; its regular expressions end.
#include "adapters/lora_config.h"
#include "core/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galore;
  const auto map = Adapter::Json::parse(data, data + size, nullptr, /*allow_exceptions=*/false);
  if (!map.is_object()) return 0;
  try {
    const LoraConfig config = read_lora_config(map, "adapter_config.json", /*from_file=*/true);
    for (const char* module :
         {"", "lm_head", "model.layers.3.self_attn.q_proj", "transformer.h.0.attn.c_attn",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b"}) {
      if (config.rank_of(module) < 1) std::abort();
      config.scale_of(module);
      config.targets(module, true);
      config.saves(module);
    }
  } catch (const Error&) {
  }
  return 0;
}
