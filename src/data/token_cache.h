// Tokenizes a text or jsonl file once, into a cache on disk (token_file.h).
//
// The cache's name contains the fingerprints of the data file and the tokenizer and the settings that change
// the tokens, so a changed file gets another cache. The cache is written as a stream, in bounded memory, by
// all threads. Each of its files is complete or absent; the token file is written last and ends with a
// checksummed footer.
#pragma once

#include <memory>
#include <string>

#include "data/batch_source.h"
#include "data/token_file.h"
#include "data/tokenization.h"

namespace galore {

// With a null `tokenizer` only rows with input_ids are accepted.
std::unique_ptr<TokenFile> open_or_build_cache(const Path& data, const Tokenizer* tokenizer,
                                               const TokenizationOptions& options, const Path& folder,
                                               const DataMessages& messages = {});

// Returns a hash of the content of files up to 256 MiB. For larger files it covers the size, the time of the
// last change and 256 samples, because reading a file larger than memory at each start would take minutes.
std::string data_fingerprint(const Path& path);
// Returns $XDG_CACHE_HOME/galore; if that is not set, $HOME/.cache/galore; otherwise .cache/galore in the
// working folder.
Path default_cache_folder();

}  // namespace galore
