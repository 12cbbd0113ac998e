// The files of page/, as page_parts.cpp.in is filled with them when the build is configured.
#pragma once

namespace galore::page_parts {

extern const char* const kHtml;
extern const char* const kCss;
extern const char* const kScript;

}  // namespace galore::page_parts
