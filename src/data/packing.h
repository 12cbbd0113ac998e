// How examples share the rows of a batch.
#pragma once

#include <cstdint>
#include <string>

namespace galore {

// none: each example is a row. joined: the examples are one long sequence, cut into rows. isolated: whole
// examples share a row, each with attention and positions of its own.
enum class Packing { none, joined, isolated };

// As the option `packing` spells it: "false", "true" or "isolated".
const char* packing_name(Packing packing);

// The first file of each kind in a data set, or "".
struct FileKinds {
  std::string with_labels, without_labels;  // files of documents
  std::string tokens;                       // a .bin, which has no document boundaries
};

// The packing that these files get when `wanted` is asked for. Rows with labels are isolated instead of
// joined, and token files are always joined. An Error where both cannot be had: labels together with a token
// file, a token file with `isolated`, and joined files of which some have labels and others have none.
Packing packing_in_use(Packing wanted, const FileKinds& files);

// For people: so many isolated examples are longer than a row.
std::string cut_message(int64_t count, const std::string& name, int64_t max_length);

}  // namespace galore
