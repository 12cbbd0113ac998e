// Names files that stand where another file was expected.
#pragma once

#include <string>
#include <string_view>

namespace galore {

inline constexpr size_t kKindBytes = 64;  // this many bytes of the beginning suffice to name a file

// Returns "" or, if a file begins as the pointer that git leaves without git-lfs, a sentence that says so and
// how to get the file.
std::string lfs_pointer(std::string_view beginning);
// Returns a sentence for a Git LFS pointer, a page of HTML, or a zip archive, which PyTorch's files are, and
// otherwise "".
std::string misplaced_file(std::string_view beginning);

// Returns a sentence for a path that does not exist. For a name that may be one of the Hugging Face hub it
// says how to get the folder.
std::string missing_folder(const std::string& name);

}  // namespace galore
