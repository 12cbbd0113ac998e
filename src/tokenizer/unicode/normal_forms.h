// The four Unicode normal forms, computed by utf8proc and restricted to the Unicode version of the Python
// package `tokenizers`.
#pragma once

#include <string>
#include <string_view>

namespace galore {

enum class NormalForm { nfc, nfd, nfkc, nfkd };

// Brings `text`, which must be valid UTF-8, into a normal form. Characters that are newer than the package's
// tables stay as they are, as in the package.
std::string normal_form(std::string_view text, NormalForm form);

}  // namespace galore
