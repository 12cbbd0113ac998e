// The tokenizer and the chat template of a model folder as metadata of llama.cpp.
#pragma once

#include "core/files.h"
#include "export/gguf_file.h"

namespace galore {

// Adds the tokens, their kinds, merges or scores, special ids and the chat template. Supported are byte-level
// BPE with the words of GPT-2, Llama 3 or Qwen2, and BPE in the style of SentencePiece (LLaMA, Mistral);
// another tokenizer is an Error that names the difference. Tokens are filled up to `vocab_size`. A folder
// without a tokenizer gives a file that takes ids only.
void add_gguf_tokenizer(const Path& folder, int64_t vocab_size, GgufMetadata& metadata);

}  // namespace galore
