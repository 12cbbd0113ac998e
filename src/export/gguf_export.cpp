#include "export/gguf_export.h"

#include "checkpoint/hugging_face.h"
#include "export/gguf_architecture.h"
#include "export/gguf_tokenizer.h"
#include "export/gguf_weights.h"

namespace galore {
namespace {

// llama.cpp's number of the format that most tensors have (general.file_type).
uint32_t file_type(GgufType type) {
  switch (type) {
    case GgufType::f32:
      return 0;
    case GgufType::f16:
      return 1;
    case GgufType::q8_0:
      return 7;
    case GgufType::bf16:
      return 32;
  }
  return 0;
}

}  // namespace

GgufSummary export_gguf(const Path& folder, const Path& output, GgufType type) {
  const WeightFiles files(folder);
  const ModelConfig config = read_model_config(folder);
  GgufMetadata metadata;
  metadata.add("general.architecture", gguf_architecture(config).name);
  metadata.add("general.type", "model");
  metadata.add("general.name", std::filesystem::weakly_canonical(folder).filename().string());
  metadata.add("general.file_type", file_type(type));
  if (type == GgufType::q8_0) metadata.add("general.quantization_version", uint32_t{2});
  add_gguf_architecture(config, metadata);
  add_gguf_tokenizer(folder, config.vocab_size, metadata);
  const std::vector<GgufTensor> tensors = gguf_weights(files, config, type);
  write_gguf(output, metadata, tensors);
  return {tensors.size(), std::filesystem::file_size(output), gguf_notes(config)};
}

}  // namespace galore
