// The folder of the files that the tests of the tokenizers read.
#pragma once

#include "core/files.h"

namespace galore::testing_tokenizer {

inline Path testdata() { return Path(GALORE_TESTDATA); }

}  // namespace galore::testing_tokenizer
