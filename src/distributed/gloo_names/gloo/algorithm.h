// The wheel of libtorch has gloo's code but not its headers. The headers in this folder declare the names
// that libtorch's ProcessGroupGloo.hpp mentions, and nothing else. Our objects call none of these functions,
// so no table of virtual functions is made from these declarations.
#pragma once
