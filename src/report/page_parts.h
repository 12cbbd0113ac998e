// The files of page/. The build fills page_parts.cpp.in with them when it is configured.
#pragma once

namespace galore::page_parts {

extern const char* const kHtml;
extern const char* const kCss;
extern const char* const kScript;

}  // namespace galore::page_parts
