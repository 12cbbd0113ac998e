// Writes a SentencePiece model as the stages of a tokenizer.json.
#pragma once

#include "tokenizer/sentencepiece_model.h"
#include "tokenizer/written_tokenizer.h"

namespace galore {

// Returns stages that give the ids and the text of LlamaTokenizer with legacy=true. The model is a byte pair
// encoding with identity normalization and byte fallback.
WrittenStages sentencepiece_stages(const SentencePieceModel& model);

}  // namespace galore
