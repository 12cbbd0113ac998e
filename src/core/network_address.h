// The address under which other machines reach this one.
#pragma once

#include <cstdint>
#include <string>

namespace galore {

// Returns the local address from which packets to `host` leave. This process does not send any.
std::string address_towards(const std::string& host, int64_t port);

}  // namespace galore
