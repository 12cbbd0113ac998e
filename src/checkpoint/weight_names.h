// The names of tensors in checkpoints, where they differ from the names of parameters.
#pragma once

#include <string>

#include "checkpoint/weight_files.h"

namespace galore {

// Returns true for the matrix from hidden states to the vocabulary. GPT-NeoX calls it embed_out, transformers
// 5 sometimes lm_head.
bool is_head_name(const std::string& name);
// Returns true for the table of token embeddings of any architecture.
bool is_embedding_name(const std::string& name);
// Returns the name that newer files have for the same tensor: norms had a gamma and a beta in BERT's files.
std::string name_in_new_files(const std::string& name);
// Returns true for tensors of the heads of encoders. A model with another head does not read them.
bool is_of_other_head(const std::string& name);
// Returns true for tensors of older files that are not weights: rotary tables, causal masks and positions.
bool is_no_weight(const std::string& name);

// Returns true if the files hold a multimodal model, and the functions below tell its parts apart.
bool is_multimodal(const WeightFiles& files);
// Returns the name that a tensor of a multimodal model's text part has in the text model alone.
std::string name_in_text_model(const std::string& name);
bool is_of_other_part(const std::string& name);  // vision

// Returns true if the files hold a head and an embedding whose values differ.
bool head_differs(const WeightFiles& files);

}  // namespace galore
