// Encodings of text files, and the conversion to UTF-8.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/byte_stream.h"

namespace galore {

// utf16 takes the byte order from the mark at the beginning, and little-endian without a mark.
enum class TextEncoding { utf8, utf16, utf16_le, utf16_be, latin1, windows1252 };

// Returns the names that the option `encoding` accepts.
std::vector<std::string> text_encoding_names();
// Accepts a name in either case, with hyphens or underscores; any other name is a UsageError.
TextEncoding text_encoding_from_name(const std::string& name);
const char* text_encoding_name(TextEncoding encoding);

// Returns the stream's content as UTF-8. A byte that the encoding does not define, and half a surrogate pair,
// are Errors that name `path` and the place in the file. With TextEncoding::utf8 the stream itself is
// returned.
std::unique_ptr<ByteStream> as_utf8(std::unique_ptr<ByteStream> bytes, TextEncoding encoding,
                                    const Path& path);

// Returns the encoding whose mark or zero bytes the beginning of a file has: utf16 for a mark, utf16_le or
// utf16_be for UTF-16 without a mark, and otherwise utf8.
TextEncoding guessed_encoding(const std::string& beginning);

}  // namespace galore
