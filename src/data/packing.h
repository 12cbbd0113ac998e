// How examples share the rows of a batch.
#pragma once

#include <cstdint>
#include <string>

namespace galore {

// none: each example is a row. joined: the examples are one long sequence, cut into rows. isolated: whole
// examples share a row, and each has attention and positions of its own.
enum class Packing { none, joined, isolated };

// Returns the spelling in the option `packing`: "false", "true" or "isolated".
const char* packing_name(Packing packing);

// The first file of each kind in a data set, or "".
struct FileKinds {
  std::string with_labels, without_labels;  // files of documents
  std::string tokens;                       // a .bin file, which has no document boundaries
};

// Returns the packing that these files get if `wanted` is asked for. Rows with labels are isolated instead of
// joined, and token files are always joined. An Error reports combinations that exclude each other: labels
// together with a token file, a token file with `isolated`, and joined files of which only some have labels.
Packing packing_in_use(Packing wanted, const FileKinds& files);

// Returns a message for people about the number of isolated examples that are longer than a row.
std::string cut_message(int64_t count, const std::string& name, int64_t max_length);

}  // namespace galore
