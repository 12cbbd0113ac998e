// A text or jsonl file is tokenized once, into a cache on disk (token_file.h).
//
// The cache's name holds the fingerprints of the data file and the tokenizer and the settings that change the
// tokens, so a changed file gets another cache. It is written streamed, in bounded memory, on all threads,
// and each of its files appears whole or not at all; the token file, written last, ends with a checksummed
// footer.
#pragma once

#include <memory>
#include <string>

#include "data/batch_source.h"
#include "data/token_file.h"
#include "data/tokenization.h"

namespace galore {

// Null `tokenizer`: only rows with input_ids are accepted.
std::unique_ptr<TokenFile> open_or_build_cache(const Path& data, const Tokenizer* tokenizer,
                                               const TokenizationOptions& options, const Path& folder,
                                               const DataMessages& messages = {});

// A hash of the content of files up to 256 MiB. Of larger files the size, the time of the last change and 256
// samples are hashed, because reading a file larger than memory at each start would take minutes.
std::string data_fingerprint(const Path& path);
// $XDG_CACHE_HOME/galore, else $HOME/.cache/galore, else .cache/galore in the working folder.
Path default_cache_folder();

}  // namespace galore
