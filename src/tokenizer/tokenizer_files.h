// The files of a tokenizer in a model folder, by their names.
#pragma once

#include <string>
#include <vector>

#include "core/files.h"

namespace galore {

// Returns the files in a folder that transformers knows as a tokenizer's, by name: configurations,
// vocabularies in every format, and chat templates. They are sorted. Paths begin with the folder.
std::vector<Path> tokenizer_files_in(const Path& folder);
// Adds to `files` those files of the folder that are not in it yet.
void add_tokenizer_files_in(const Path& folder, std::vector<Path>& files);
// Returns the place of a tokenizer's file within its folder, such as "additional_chat_templates/tools.jinja".
Path place_in_tokenizer_folder(const Path& file);

// Copies a tokenizer's files into a folder and removes the files of any other tokenizer there. A folder that
// holds one of the given files keeps all that it has.
void replace_tokenizer_files(const Path& folder, const std::vector<Path>& files);

}  // namespace galore
