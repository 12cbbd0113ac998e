// The four Unicode normal forms, by utf8proc, with the Unicode version of the Python package `tokenizers`.
#pragma once

#include <string>
#include <string_view>

namespace galore {

enum class NormalForm { nfc, nfd, nfkc, nfkd };

// Characters younger than the package's tables are left alone, as it leaves them. `text` must be valid UTF-8.
std::string normal_form(std::string_view text, NormalForm form);

}  // namespace galore
